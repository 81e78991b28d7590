"""Finding explanations by what they mean: sentence embeddings, kept by text, and the nearest ones to a question."""
