"""A LLaVA 1.5 of the real classes in miniature: a CLIP tower with CLS, read one block early, a Llama behind it."""

from typing import Any

import torch
from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

from tests.unit.subject import tiny

SPECIAL = ("<unk>", "<s>", "</s>", "<image>", "<pad>", "<end>", "<more>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %} {{ m['role'] }} "
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %} {{ c['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %} model{% endif %}"
)


def processor(strategy: str = "default") -> Any:
    tokenizer = tiny.tokenizer(
        SPECIAL,
        {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"},
        {"image_token": "<image>"},
    )
    images = CLIPImageProcessor(size={"shortest_edge": tiny.SIDE}, crop_size={"height": tiny.SIDE, "width": tiny.SIDE})
    return LlavaProcessor(
        images,
        tokenizer,
        **{"patch_size": tiny.PATCH, "vision_feature_select_strategy": strategy, "chat_template": TEMPLATE},
        num_additional_image_tokens=1,
    )


def model(seed: int = 1, **options: Any) -> Any:
    torch.manual_seed(seed)
    config = LlavaConfig(
        text_config={
            **{"model_type": "llama", **tiny.language(SPECIAL)},
            **{"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 4},
        },
        vision_config={
            "model_type": "clip_vision_model",
            **{"hidden_size": tiny.WIDTH, "intermediate_size": 64, "num_hidden_layers": tiny.BLOCKS},
            **{"num_attention_heads": 2, "image_size": tiny.SIDE, "patch_size": tiny.PATCH, "projection_dim": 16},
        },
        image_token_index=3,
        **options,
    )
    llava = LlavaForConditionalGeneration(config).float().eval()
    llava.generation_config.eos_token_id = [2, 5]
    tiny.enliven(llava)
    return llava
