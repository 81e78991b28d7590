"""The Jobs API: typed protobuf (`jobs.proto`, `results.proto`) and the code generated from it (`make protos`)."""
