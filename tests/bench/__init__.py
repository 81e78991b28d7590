"""Ratios measured side by side in one run (`make bench`): ours, a plain loop on the same weights, the bare model."""
