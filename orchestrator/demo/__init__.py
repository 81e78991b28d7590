"""The main job's choices: which features a demo explains, and the anchor rows beside the methods."""
