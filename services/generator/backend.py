"""What can draw: the interface behind `generate`, and the adapter for classes that draw one image at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.serving.errors import InvalidInputError
from services.serving.model import Resident

Pixels = npt.NDArray[np.uint8]


class Backend(ABC):
    """Draws images of texts. `version` hashes all that they depend on; `facts` are shown to callers."""

    version: str
    facts: Mapping[str, str]
    warm_up_prompt: str | None = None  # a text that it can surely draw
    resident: Resident | None = None  # what leaves the device while the service is idle

    @abstractmethod
    def draw(self, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance: float) -> Sequence[Pixels]:
        """One image uint8 [h, w, 3] per (prompt, seed), the same in any batch.

        `steps` 0 and `guidance` −1 mean the configured values. Raises InvalidInputError for a prompt or value that
        cannot be drawn.
        """


class Drawer(Protocol):
    """A class that may be configured as the backend: draws one image uint8 [h, w, 3]; a ValueError refuses the prompt.

    It may have a `version: str`; without one its source file is hashed.
    """

    def generate(self, prompt: str, seed: int) -> Pixels: ...


class DrawerBackend(Backend):
    """A configured `Drawer`. Steps and guidance mean nothing to it and are ignored."""

    def __init__(self, drawer: Drawer, name: str, version: str) -> None:
        self._drawer = drawer
        self.version = version
        self.facts = {"backend": name}

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance: float) -> Sequence[Pixels]:
        return [self._draw_one(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    def _draw_one(self, prompt: str, seed: int) -> Pixels:
        try:
            pixels = self._drawer.generate(prompt, seed)
        except ValueError as error:
            raise InvalidInputError(f"PROMPT cannot be drawn: {error}") from error
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise TypeError(f"a drawer must give uint8 [h, w, 3], not {pixels.dtype} {list(pixels.shape)}")
        return pixels
