"""A seeded, structured fuzzer of gRPC services: valid messages, mutated field by field and byte by byte."""
