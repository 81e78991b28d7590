"""`Subject`: a vision encoder that can be read after block N, steered there, and resumed into the language model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling


class Subject(ABC):
    """A vision encoder cut after block `layer` (0-based; the site is that block's output, METHOD §1).

    Made of a tower alone it gives `prefix`; made of a whole VLM it gives `resume` as well. Blocks are called one by
    one: there are no hooks, so nothing can leak from one call into the next, and blocks behind N never run in vain.
    Where accelerate spread them over devices, its hooks on every module move the stream along. A family fills in the
    class variables and the abstract methods.
    """

    block_arguments: ClassVar[Mapping[str, Any]] = {}  # what a block wants beside the residual stream
    entrance_names: ClassVar[tuple[str, ...]] = ("embeddings",)  # the tower's modules in front of block 0, in order
    blocks_name: ClassVar[str] = "encoder.layers"  # the tower's list of blocks, as in the checkpoint
    leading: ClassVar[int] = 0  # c: CLS and register tokens in front of the patches

    def __init__(self, tower: Any, layer: int, vlm: Any = None) -> None:
        """`tower` is the vision model, `vlm` the model it belongs to (None: `resume` is not available).

        Raises ValueError when the tower has no block `layer`, or one that the language model does not read.
        """
        self.tower = tower
        self.vlm = vlm
        self.layer = layer
        blocks = tower.get_submodule(self.blocks_name)
        last = len(blocks) - 1 if vlm is None else self.last_block(vlm.config)
        if not 0 <= layer <= last:
            reader = "the encoder has" if vlm is None else "the language model reads"
            raise ValueError(f"layer {layer}: {reader} blocks 0 to {last}; set one of them")
        self._entrance: list[nn.Module] = [tower.get_submodule(name) for name in self.entrance_names]
        self._before: list[nn.Module] = list(blocks[: layer + 1])
        self._behind: list[nn.Module] = list(blocks[layer + 1 : last + 1])

    @classmethod
    def processor_options(cls, image_processor: Any) -> dict[str, Any]:
        """What makes the checkpoint's image processor squash an image to one square (METHOD §2)."""
        del image_processor
        return {}

    @classmethod
    def check(cls, config: Any) -> None:
        """Raises ValueError for a VLM's config that the family does not cover."""
        del config

    @classmethod
    def last_block(cls, config: Any) -> int:
        """The last block whose output the language model reads, by the VLM's config. Raises ValueError if unclear."""
        return int(config.vision_config.num_hidden_layers) - 1

    @classmethod
    def tower_of(cls, vlm: Any) -> Any:
        """The vision model inside a VLM."""
        return vlm.model.vision_tower

    @abstractmethod
    def finish(self, h: Tensor) -> Tensor:
        """From the output [n, c+p, d] of the last block read to the language model's image tokens [n, t, d_lm]."""

    def handed(self, features: Tensor) -> dict[str, Any]:
        """Arguments of the VLM's forward that stand for its images: the features [n, t, d_lm] of all, made here."""
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=features)}}

    def _run(self, blocks: list[nn.Module], h: Tensor) -> Tensor:
        for block in blocks:
            output = block(h, **self.block_arguments)
            h = output[0] if isinstance(output, tuple) else output
        return h

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches, p = rows · columns, row-major."""
        (height, width), (down, across) = (_pair(getattr(self.tower.config, f"{of}_size")) for of in ("image", "patch"))
        return height // down, width // across

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

    def embed(self, pixels: Tensor) -> Tensor:
        """The input of block 0: [n, 3, height, width] to [n, c+p, d]."""
        h = pixels.to(home_of(self.tower), self.parameter.dtype)
        for module in self._entrance:
            h = module(h)
        return h

    @torch.no_grad()
    def prefix(self, pixels: Tensor) -> Tensor:
        """The residual stream after block N, [n, c+p, d], of preprocessed images [n, 3, height, width]."""
        return self._run(self._before, self.embed(pixels))

    def patches_of(self, h: Tensor) -> Tensor:
        """The patches' part of h, a view [n, p, d]: what the SAE reads. Patch p is token c + p."""
        return h[:, self.leading :]

    @torch.no_grad()
    def resume(self, h: Tensor) -> Tensor:
        """Blocks N+1 … and the way into the language model: [n, c+p, d] to image features [n, t, d_lm].

        Raises RuntimeError when the subject was made of a tower alone.
        """
        if self.vlm is None:
            raise RuntimeError("this subject is a cut tower: it has no blocks behind N and no language model")
        return self.finish(self._run(self._behind, h))


def home_of(model: nn.Module) -> torch.device:
    """Where a model wants its inputs: at its first parameter.

    The CPU where that one lies elsewhere until it is used: accelerate's hooks then move the inputs.
    """
    device = next(model.parameters()).device
    return torch.device("cpu") if device.type == "meta" else device


def selected_block(config: Any) -> int:
    """The block whose output a config's `vision_feature_layer` selects: index j of the hidden states is block j − 1.

    Raises ValueError when it is a list.
    """
    selected = config.vision_feature_layer
    if not isinstance(selected, int):
        raise ValueError(f"vision_feature_layer is {selected}: models that read several layers at once are not covered")
    return range(-1, config.vision_config.num_hidden_layers)[selected]


def _pair(sides: int | list[int] | tuple[int, ...]) -> tuple[int, int]:
    """Height and width, also of a square given by one side."""
    return (sides, sides) if isinstance(sides, int) else (sides[0], sides[1])
