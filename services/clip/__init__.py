"""The CLIP scorer: unit-length embeddings of texts and images."""
