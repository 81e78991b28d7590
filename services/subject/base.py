"""`Subject`: a vision encoder that can be read after block N, steered there, and resumed into the language model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class Subject(ABC):
    """A vision encoder cut after block `layer` (0-based; the site is that block's output, METHOD §1).

    Made of a tower alone it gives `prefix`; made of a whole VLM it gives `resume` as well. Blocks are called one by
    one: there are no hooks, so nothing can leak from one call into the next, and blocks behind N never run in vain.
    A family fills in the class variables and the abstract methods.
    """

    processor_options: ClassVar[Mapping[str, Any]] = {}  # makes the image processor squash an image to one square
    block_arguments: ClassVar[Mapping[str, Any]] = {}  # what a block wants beside the residual stream
    embeddings_name: ClassVar[str] = "embeddings"  # submodules of the tower, as in the checkpoint
    blocks_name: ClassVar[str] = "encoder.layers"
    leading: ClassVar[int] = 0  # c: CLS and register tokens in front of the patches

    def __init__(self, tower: Any, layer: int, vlm: Any = None) -> None:
        """`tower` is the vision model, `vlm` the model it belongs to (None: `resume` is not available).

        Raises ValueError when the tower has no block `layer`.
        """
        self.tower = tower
        self.vlm = vlm
        self.layer = layer
        blocks = tower.get_submodule(self.blocks_name)
        if not 0 <= layer < len(blocks):
            raise ValueError(f"layer {layer}: the encoder has blocks 0 to {len(blocks) - 1}; set one of them")
        self._before: list[nn.Module] = list(blocks[: layer + 1])
        self._behind: list[nn.Module] = list(blocks[layer + 1 :])

    @classmethod
    @abstractmethod
    def tower_of(cls, vlm: Any) -> Any:
        """The vision model inside a VLM."""

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches, p = rows · columns, row-major."""

    @abstractmethod
    def finish(self, h: Tensor) -> Tensor:
        """From the last block's output [n, c+p, d] to the language model's image tokens [n, t, d_lm]."""

    def embed(self, pixels: Tensor) -> Tensor:
        """The input of block 0: [n, 3, height, width] to [n, c+p, d]."""
        embedded: Tensor = self.tower.get_submodule(self.embeddings_name)(pixels)
        return embedded

    def _run(self, blocks: list[nn.Module], h: Tensor) -> Tensor:
        for block in blocks:
            output = block(h, **self.block_arguments)
            h = output[0] if isinstance(output, tuple) else output
        return h

    @property
    def patches(self) -> int:
        """p, the number of patches."""
        rows, columns = self.grid
        return rows * columns

    @property
    def width(self) -> int:
        """d, the width of the residual stream."""
        return int(self.tower.config.hidden_size)

    @property
    def parameter(self) -> Tensor:
        """Any parameter of the tower: tells device and dtype."""
        first: Tensor = next(self.tower.parameters())
        return first

    @torch.no_grad()
    def prefix(self, pixels: Tensor) -> Tensor:
        """The residual stream after block N, [n, c+p, d], of preprocessed images [n, 3, height, width]."""
        return self._run(self._before, self.embed(pixels.to(self.parameter.device, self.parameter.dtype)))

    def patches_of(self, h: Tensor) -> Tensor:
        """The patches' part of h, a view [n, p, d]: what the SAE reads and what steering writes to."""
        return h[:, self.leading :]

    @torch.no_grad()
    def resume(self, h: Tensor) -> Tensor:
        """Blocks N+1 … and the way into the language model: [n, c+p, d] to image features [n, t, d_lm].

        Raises RuntimeError when the subject was made of a tower alone.
        """
        if self.vlm is None:
            raise RuntimeError("this subject is a cut tower: it has no blocks behind N and no language model")
        return self.finish(self._run(self._behind, h))
