"""Classes to configure as backends."""

import numpy as np


class Flat:
    """One colour, made of the seed; only texts that name a colour can be drawn."""

    def __init__(self, side: int = 16) -> None:
        self.side = side

    def generate(self, prompt: str, seed: int) -> np.ndarray:
        if "red" not in prompt:
            raise ValueError("names no colour")
        return np.full((self.side, self.side + 4, 3), seed % 256, dtype=np.uint8)


class Versioned(Flat):
    version = "1"


class Wrong:
    def generate(self, prompt: str, seed: int) -> np.ndarray:
        return np.zeros((16, 16), dtype=np.float32)
