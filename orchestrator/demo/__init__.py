"""The main job end to end on one machine: stack, indexes, a job with anchors, the summary and the report."""
