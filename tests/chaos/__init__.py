"""The chaos suite: real processes, faults drawn from a seed, and an oracle that knows the undisturbed results."""
