"""The residual stream after every block of an encoder: only for an SAE whose block is in doubt."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import AutoConfig

from services.serving.weights import Source
from services.subject import Subject


def last_block(model: Source) -> int:
    """The last block of the vision tower of the checkpoint at `model`."""
    config = AutoConfig.from_pretrained(model.location, revision=model.revision)
    return int(getattr(config, "vision_config", config).num_hidden_layers) - 1


@torch.no_grad()
def streams(subject: Subject, pixels: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
    """Of each block 0 … `subject.layer` in order: its number and residuals [patches, d] of preprocessed images."""
    like = subject.parameter
    states = [subject.embed(part.to(like.device, like.dtype)) for part in pixels]
    blocks = list(subject.tower.get_submodule(subject.blocks_name))
    for number in range(subject.layer + 1):
        states = [_through(blocks[number], h, subject) for h in states]
        yield number, torch.cat([subject.patches_of(h).flatten(0, 1) for h in states])


def _through(block: Callable[..., Tensor | tuple[Tensor, ...]], h: Tensor, subject: Subject) -> Tensor:
    output = block(h, **subject.block_arguments)
    return output[0] if isinstance(output, tuple) else output
