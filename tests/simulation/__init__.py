"""Model services without models: real processes, real gRPC, given latencies, answers made of the rows' content."""
