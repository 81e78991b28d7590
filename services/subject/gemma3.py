"""Gemma 3 (4B, 12B, 27B and the microworld's): a SigLIP tower without CLS, pooled to `mm_tokens_per_image` tokens."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from services.subject.base import Subject
from services.subject.registry import register


@register("gemma3")
class Gemma3Subject(Subject):
    """`Gemma3ForConditionalGeneration`."""

    block_arguments: ClassVar[Mapping[str, Any]] = {"attention_mask": None}

    @classmethod
    def processor_options(cls, image_processor: Any) -> dict[str, Any]:
        del image_processor
        return {"do_pan_and_scan": False}

    def finish(self, h: Tensor) -> Tensor:
        features: Tensor = self.vlm.model.multi_modal_projector(self.tower.post_layernorm(h))
        return features
