"""InternVL3 (transformers' own class, the hub's `…-hf` checkpoints): InternViT with CLS, pixel shuffle, projector."""

from typing import Any, ClassVar

from torch import Tensor

from services.subject.base import Subject, selected_block
from services.subject.registry import register


@register("internvl")
class InternVLSubject(Subject):
    """`InternVLForConditionalGeneration`; an image is one tile."""

    blocks_name: ClassVar[str] = "encoder.layer"
    leading: ClassVar[int] = 1

    @classmethod
    def processor_options(cls, image_processor: Any) -> dict[str, Any]:
        del image_processor
        return {"crop_to_patches": False}

    @classmethod
    def last_block(cls, config: Any) -> int:
        return selected_block(config)

    def finish(self, h: Tensor) -> Tensor:
        model = self.vlm.model
        if model.config.vision_feature_layer == -1:  # the tower's output; other layers are read as they are
            h = self.tower.layernorm(h)
        rows, columns = self.grid
        image = self.patches_of(h).unflatten(1, (rows, columns))
        merged = model.pixel_shuffle(image, scale_factor=model.config.downsample_ratio).flatten(1, 2)
        features: Tensor = model.multi_modal_projector(merged)
        return features
