"""One feature's way: explain, gather evidence, score (METHOD §4–6)."""
