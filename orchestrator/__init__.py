"""The orchestrator: jobs, the pipeline of a feature, indexes, analysis, and the ways in. It imports no torch."""
