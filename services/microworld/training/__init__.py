"""The recipe: one trainer per model, run by `python -m services.microworld.training`."""
