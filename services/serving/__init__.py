"""The shell every model service wears: spec, codec, server, batcher, admission, health, metrics, drain, client."""
