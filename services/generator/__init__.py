"""The text-to-image generator: positives for the activation and AUROC scores."""
