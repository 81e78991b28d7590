"""Throw-away heads that teach the CLIP's image tower what each patch shows: without them shapes come late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.microworld.world import COLORS, SHAPES, TEXTURES, Rendered, pool

BLOCKS: Final = (1, 3)  # read after these blocks of the image tower
FAMILIES: Final = (len(COLORS), len(SHAPES), len(TEXTURES))
SHAPE_WEIGHT: Final = 3.0  # shapes are small and hard


def patch_attributes(r: Rendered) -> Tensor:
    """The share of each patch that has a colour, a shape (small areas count more), a texture: [n, 64, 23]."""
    colors, shapes, textures = FAMILIES
    maps = [
        *(pool(r.color == i) for i in range(colors)),
        *(np.minimum(1, 2.5 * pool(r.shape == i)) for i in range(shapes)),
        *(pool(r.texture == i) for i in range(textures)),
    ]
    return torch.from_numpy(np.stack(maps, -1).reshape(len(r), -1, len(maps)).astype(np.float32))


class PatchHeads(nn.Module):
    """Linear heads on the patch tokens after `BLOCKS` of an open_clip image tower, which the heads listen to."""

    def __init__(self, tower: Any, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, sum(FAMILIES)) for _ in BLOCKS)
        self.weight = torch.cat(
            [torch.ones(FAMILIES[0]), torch.full((FAMILIES[1],), SHAPE_WEIGHT), torch.ones(FAMILIES[2])]
        )
        self._heard: list[Tensor] = []
        for block in BLOCKS:
            tower.transformer.resblocks[block].register_forward_hook(self._hear)

    def _hear(self, _module: nn.Module, _inputs: Sequence[Any], output: Tensor) -> None:
        self._heard.append(output)

    def forward(self, target: Tensor) -> Tensor:
        """Mean binary cross-entropy of the pass just made against `target` [n, 64, 23], for its first n images."""
        heard, self._heard = self._heard, []
        total = torch.zeros(())
        for head, tokens in zip(self.heads, heard, strict=True):
            patches = functional.layer_norm(tokens[: len(target), 1:].float(), tokens.shape[-1:])  # without CLS
            total = total + functional.binary_cross_entropy_with_logits(head(patches), target, weight=self.weight)
        return total / len(heard)
