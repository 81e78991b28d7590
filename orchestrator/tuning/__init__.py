"""Which α? A grid on validation features, the curve of one criterion, the pick, and the profile that keeps it."""
