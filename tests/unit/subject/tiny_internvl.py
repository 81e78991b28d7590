"""An InternVL 3 of the real classes in miniature: CLS, pixel shuffle, a Qwen2 behind it."""

from typing import Any

import torch
from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
)

from tests.unit.subject import tiny

SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>", "<unk>"),
    *("<quad>",),
)
TEMPLATE = (
    "{% for m in messages %}<|im_start|> {{ m['role'] }} "
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<IMG_CONTEXT>{% else %} {{ c['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|> model{% endif %}"
)


def processor() -> Any:
    tokenizer = tiny.tokenizer(
        SPECIAL,
        {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>", "unk_token": "<unk>"},
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )
    images = GotOcr2ImageProcessor(size={"height": tiny.SIDE, "width": tiny.SIDE})
    videos = InternVLVideoProcessor(size={"height": tiny.SIDE, "width": tiny.SIDE})
    return InternVLProcessor(images, tokenizer, videos, image_seq_length=tiny.IMAGE_TOKENS, chat_template=TEMPLATE)


def model(seed: int = 1, **options: Any) -> Any:
    """Random weights; its CLS and positions, which start at zeros, are drawn too."""
    torch.manual_seed(seed)
    config = InternVLConfig(
        text_config={"model_type": "qwen2", **tiny.language(SPECIAL), "eos_token_id": 2, "pad_token_id": 0},
        vision_config={
            **{"hidden_size": tiny.WIDTH, "intermediate_size": 64, "num_attention_heads": 2},
            **{"num_hidden_layers": tiny.BLOCKS, "image_size": [tiny.SIDE] * 2, "patch_size": [tiny.PATCH] * 2},
            **{"layer_scale_init_value": 1.0, "use_mean_pooling": False, "use_qk_norm": False},
        },
        image_token_id=5,
        image_seq_length=tiny.IMAGE_TOKENS,
        tie_word_embeddings=False,
        **options,
    )
    intern = InternVLForConditionalGeneration(config).float().eval()
    intern.generation_config.eos_token_id = [2, 8]
    tiny.enliven(intern)
    with torch.no_grad():
        embeddings = intern.model.vision_tower.embeddings
        embeddings.cls_token.normal_()
        embeddings.position_embeddings.normal_(std=0.5)
    return intern
