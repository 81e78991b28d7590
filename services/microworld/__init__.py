"""The microworld: a drawn world of known truth, tiny models trained on it, and the recipe that trains them."""
