"""What tests of the viewer share: made-up jobs with real indexes and images, and a Jobs client that plays the API."""
