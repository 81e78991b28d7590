"""The detector's class and size, and how names are asked of it."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any, Final

import numpy as np
from torch import Tensor, nn
from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessor, OwlViTProcessor

from services.microworld.training.common import mixed_precision
from services.microworld.world import PATCH, SIZE, Concept, all_concepts

CONTEXT: Final = 16  # tokens
TEMPLATES: Final = ("{}", "{}", "{}", "a {}", "{} .")  # texts come with and without article and full stop


def build(tokenizer: Any) -> OwlViTForObjectDetection:
    """The untrained model. Heads are drawn anew: with the class's own initial values (std 1) nothing trains."""
    shape = {"hidden_size": 128, "intermediate_size": 384, "num_attention_heads": 4}
    text = {
        **shape,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CONTEXT,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = {**shape, "num_hidden_layers": 4, "image_size": SIZE, "patch_size": PATCH}
    config = OwlViTConfig(text_config=text, vision_config=vision, projection_dim=128)
    model = OwlViTForObjectDetection._from_config(config, attn_implementation="eager")
    for head in (model.box_head, model.class_head):
        for parameter in head.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
            else:
                nn.init.zeros_(parameter)
    for zero in (model.box_head.dense2, model.class_head.logit_shift, model.class_head.logit_scale):
        nn.init.zeros_(zero.weight)
    nn.init.constant_(model.class_head.logit_shift.bias, -2.0)
    nn.init.constant_(model.class_head.logit_scale.bias, 8.0)
    return model


def processor(tokenizer: Any) -> OwlViTProcessor:
    """What turns images and texts into the model's inputs: 64 pixels, mean = std = .5, texts padded to 16 tokens."""
    images = OwlViTImageProcessor(
        size={"height": SIZE, "width": SIZE}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return OwlViTProcessor(image_processor=images, tokenizer=tokenizer)


def propose(
    model: OwlViTForObjectDetection, images: Tensor, texts: Any, *, mixed: bool = False
) -> tuple[Tensor, Tensor]:
    """Logits [b, 64, t], and [b, 64, 4] boxes before the sigmoid, for t texts asked of every image.

    The class itself embeds the texts anew for each image, and returns boxes after the sigmoid.
    """
    with mixed_precision() if mixed else nullcontext():
        grid = model.image_embedder(images)[0].flatten(1, 2)
        pooled = model.owlvit.text_model(texts.input_ids, attention_mask=texts.attention_mask).pooler_output
        queries = model.owlvit.text_projection(pooled)
    # The heads stay in float32: scaled by 8, cosines of 16 bits are too coarse.
    grid, queries = grid.float(), queries.float()
    logits, _ = model.class_predictor(grid, queries[None].expand(len(images), -1, -1))
    return logits, model.box_head(grid) + model.box_bias


@cache
def numbers() -> dict[Concept, int]:
    """The column of every concept among the names."""
    return {concept: number for number, concept in enumerate(all_concepts())}


def names(rng: np.random.Generator | None = None) -> list[str]:
    """The names of all concepts; with a generator, each in a random template."""
    if rng is None:
        return [concept.text for concept in all_concepts()]
    return [TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(concept.text) for concept in all_concepts()]
