"""Numbers that look random and depend on content alone: the same in every process, batch and replica."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
_EVERY_IMAGE, _EVERY_PATCH = 3, 4  # a feature fires in one of three images, there on one of four patches


def seed_of(*parts: Any) -> int:
    """64 bits over bytes, arrays, and whatever has a `repr`, each part kept apart from the next."""
    total = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = bytes(part) if isinstance(part, bytes) else _bytes(part)
        total.update(len(data).to_bytes(8, "little") + data)
    return int.from_bytes(total.digest(), "little")


def generator(*parts: Any) -> np.random.Generator:
    """A generator that is seeded by content."""
    return np.random.default_rng(seed_of(*parts))


def activations(image: bytes, features: npt.NDArray[np.int64], patches: int) -> npt.NDArray[np.float32]:
    """Activation maps of features on an encoded image, float32 [m, p]: sparse, as those of an SAE are."""
    own = _mixed(np.array([seed_of(image)], np.uint64) ^ features.astype(np.uint64))
    spread = _mixed(np.add(own[:, None], np.arange(1, patches + 1, dtype=np.uint64), dtype=np.uint64))
    fires = (own % np.uint64(_EVERY_IMAGE) == 0)[:, None] & (spread % np.uint64(_EVERY_PATCH) == 0)
    values = 0.5 + (spread >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
    return np.where(fires, values, np.float32(0))


def _bytes(part: Any) -> bytes:
    return part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()


def _mixed(numbers: Numbers) -> Numbers:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
