"""The saved explainer at work on world images: activations, answers, and answers under steering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from services.microworld import world
from services.microworld.training import common, processor

LAYER = 2  # the SAE's block, 0-based: the site is the residual stream after it
ANSWER_TOKENS = 10
_ROWS = 256  # images per pass


@dataclass
class Explainer:
    """A model and its processor."""

    model: Any
    processor: Any

    @classmethod
    def load(cls, folder: Path) -> Explainer:
        """Load a saved explainer in float32 for inference."""
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        return cls(model.eval(), AutoProcessor.from_pretrained(folder))

    @property
    def _tower(self) -> Any:
        return self.model.model.vision_tower

    @torch.no_grad()
    def activations(self, images: NDArray[np.float32]) -> Tensor:
        """The residual stream after block `LAYER` [n, 64, 128] of images [n, 64, 64, 3] in 0..1."""
        out = []
        for start in range(0, len(images), _ROWS):
            hidden = self._tower.embeddings(common.to_pixels(images[start : start + _ROWS]))
            for block in self._tower.encoder.layers[: LAYER + 1]:
                hidden = block(hidden, attention_mask=None)
            out.append(hidden)
        return torch.cat(out)

    @contextmanager
    def _steered(self, shift: Tensor | None) -> Iterator[None]:
        """Add `shift` [b, 64 or 1, 128] to the residual stream while open."""
        if shift is None:
            yield
            return
        handle = self._tower.encoder.layers[LAYER].register_forward_hook(lambda _m, _i, hidden: hidden + shift)
        try:
            yield
        finally:
            handle.remove()

    @torch.no_grad()
    def answer(
        self,
        images: NDArray[np.float32],
        prompt: str,
        per_answer: int = 1,
        shift: Tensor | None = None,
        max_tokens: int = ANSWER_TOKENS,
    ) -> list[str]:
        """Greedy answers to a prompt after every `per_answer` images [b * per_answer, 64, 64, 3].

        shift [b * per_answer, 64 or 1, 128]: added to the residual stream after block `LAYER`, in raw units.
        """
        row = torch.tensor([processor.prompt_ids(prompt, per_answer)])
        texts: list[str] = []
        step = _ROWS // per_answer * per_answer
        for start in range(0, len(images), step):
            part = slice(start, start + step)
            pixels = common.to_pixels(images[part])
            ids = row.expand(len(pixels) // per_answer, -1)
            with self._steered(None if shift is None else shift[part]):
                out = self.model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    token_type_ids=(ids == processor.IMAGE).long(),
                    pixel_values=pixels,
                    max_new_tokens=max_tokens,
                    do_sample=False,
                )
            texts.extend(self.processor.batch_decode(out[:, row.shape[1] :], skip_special_tokens=True))
        return texts


def blank(n: int) -> NDArray[np.float32]:
    """n white images."""
    return np.ones((n, world.SIZE, world.SIZE, 3), np.float32)
