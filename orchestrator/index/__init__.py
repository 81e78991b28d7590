"""Indexes of image sets: every feature's top images with their maps, and the scores of a reference sample."""
