"""What a difference between methods is worth: tests, corrections, intervals, and the vote for a feature's best text."""
