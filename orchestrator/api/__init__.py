"""The Jobs API: a gRPC server over the state machine, with reflection and health."""
