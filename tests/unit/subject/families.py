"""Every family of VLMs in miniature: real classes, random weights, and what an independent reference needs to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.unit.subject import tiny, tiny_internvl, tiny_llava


@dataclass(frozen=True)
class Family:
    """`squash` is what the processor must be told so that it squashes an image; `special` are tokens that no prompt may
    hold; `leading` counts CLS; `last` is the last block that the language model reads; `spellings` are the prefixes of
    the tower's tensors in the checkpoints of the hub and of transformers 4 and 5."""

    name: str
    model: Callable[..., Any]
    processor: Callable[[], Any]
    squash: Mapping[str, Any]
    special: frozenset[str]
    leading: int = 0
    last: int = tiny.BLOCKS - 1
    blocks: str = "encoder.layers"
    spellings: tuple[str, ...] = ("model.vision_tower.", "vision_tower.vision_model.")

    def save(self, folder: Path, seed: int = 1, shard: str = "5GB") -> Path:
        """The checkpoint as transformers saves it; a small `shard` splits it into several files with an index."""
        self.model(seed).save_pretrained(folder, max_shard_size=shard)
        self.processor().save_pretrained(folder)
        return folder

    def block(self, vlm: Any, number: int) -> torch.nn.Module:
        """The module whose output is the site."""
        module: torch.nn.Module = vlm.model.vision_tower.get_submodule(self.blocks)[number]
        return module

    def features(self, vlm: Any, pixels: Tensor) -> Tensor:
        """What the untouched model hands to its language model, [n, t, d_lm]."""
        with torch.no_grad():
            return torch.stack(list(vlm.get_image_features(pixels).pooler_output))


_GEMMA = Family(
    *("gemma3", tiny.model, tiny.processor, {"do_pan_and_scan": False}),
    frozenset({"<start_of_turn>", "<image_soft_token>", "<start_of_image>", "<eos>"}),
)
_INTERNVL = Family(
    *("internvl", tiny_internvl.model, tiny_internvl.processor, {"crop_to_patches": False}),
    frozenset({"<img>", "</img>", "<IMG_CONTEXT>", "<|im_end|>"}),
    leading=1,
    blocks="encoder.layer",
    spellings=("model.vision_tower.",),
)
_LLAVA = Family(
    *("llava", tiny_llava.model, tiny_llava.processor),
    {"size": {"height": tiny.SIDE, "width": tiny.SIDE}, "do_center_crop": False},
    frozenset({"<image>", "</s>"}),
    leading=1,
    last=tiny.BLOCKS - 2,
)
FAMILIES = {family.name: family for family in (_GEMMA, _INTERNVL, _LLAVA)}
