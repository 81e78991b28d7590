"""Textures as weights of a colour against white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .vocabulary import SIZE, TEXTURES

_AXIS = np.arange(SIZE, dtype=np.float32) + 0.5
Y, X = (plane.astype(np.float32) for plane in np.meshgrid(_AXIS, _AXIS, indexing="ij"))


def texture_weights(texture: int, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """n random instances [n, 64, 64] of one texture: 1 = the colour, 0 = white."""

    def column(values: NDArray[np.float64]) -> NDArray[np.float32]:
        return values.astype(np.float32)[:, None, None]

    on: NDArray[np.bool_] | NDArray[np.float32]
    period = column(rng.choice([6.0, 8.0, 10.0, 12.0], n))
    phase, phase2 = column(rng.uniform(0, 12, n)), column(rng.uniform(0, 12, n))
    match TEXTURES[texture]:
        case "solid":
            on = np.ones((n, SIZE, SIZE), np.float32)
        case "horizontal stripes":
            on = np.broadcast_to((Y[:, :1] + phase) % period < period / 2, (n, SIZE, SIZE))
        case "vertical stripes":
            on = np.broadcast_to((X[:1] + phase) % period < period / 2, (n, SIZE, SIZE))
        case "diagonal stripes":
            sign = column(rng.choice([-1.0, 1.0], n))
            on = (X + sign * Y + phase) % (period * 1.4) < period * 0.7
        case "checker":
            on = ((X[:1] + phase) // (period / 2) + (Y[:, :1] + phase2) // (period / 2)) % 2 == 1
        case "dots":
            u, v = (X[:1] + phase) % period - period / 2, (Y[:, :1] + phase2) % period - period / 2
            on = u * u + v * v < (period * 0.3) ** 2
        case "gradient":
            angle = column(rng.uniform(0, 2 * np.pi, n))
            on = np.clip(0.55 + (0.9 / SIZE) * ((X - 32) * np.cos(angle) + (Y - 32) * np.sin(angle)), 0.05, 1)
        case _:  # noise
            coarse = rng.random((n, SIZE // 2, SIZE // 2), np.float32) < 0.5
            on = coarse.repeat(2, 1).repeat(2, 2)
    return on.astype(np.float32)
