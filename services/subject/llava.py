"""LLaVA 1.5: a CLIP tower with CLS, read one block before its last, every patch a token of the language model."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from services.subject.base import Subject, selected_block
from services.subject.registry import register

_TOWER = "clip_vision_model"


@register("llava")
class LlavaSubject(Subject):
    """`LlavaForConditionalGeneration` with a CLIP tower. The crop to the centre becomes a squash: a map's patches
    then cover the whole image."""

    block_arguments: ClassVar[Mapping[str, Any]] = {"attention_mask": None}
    entrance_names: ClassVar[tuple[str, ...]] = ("embeddings", "pre_layrnorm")
    leading: ClassVar[int] = 1

    @classmethod
    def processor_options(cls, image_processor: Any) -> dict[str, Any]:
        crop = image_processor.crop_size
        return {"size": {"height": crop["height"], "width": crop["width"]}, "do_center_crop": False}

    @classmethod
    def check(cls, config: Any) -> None:
        if config.vision_config.model_type != _TOWER:
            raise ValueError(
                f"this LLaVA's encoder is of type {config.vision_config.model_type!r}; only {_TOWER!r} is covered: "
                f"add a file to services/subject"
            )

    @classmethod
    def last_block(cls, config: Any) -> int:
        return selected_block(config)

    def finish(self, h: Tensor) -> Tensor:
        whole = self.vlm.config.vision_feature_select_strategy == "full"
        features: Tensor = self.vlm.model.multi_modal_projector(h if whole else self.patches_of(h))
        return features

    def handed(self, features: Tensor) -> dict[str, Any]:
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=list(features))}}
