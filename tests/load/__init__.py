"""Load, scale and fuzzing over simulated services: `python -m tests.load --help`."""
