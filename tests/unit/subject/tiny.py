"""A Gemma 3 of the real classes in miniature (random weights, two layers' worth of words), saved as a checkpoint; and
what all miniatures share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    PreTrainedTokenizerFast,
)

WIDTH, BLOCKS, SIDE, PATCH, IMAGE_TOKENS, LAYER = 32, 4, 32, 8, 4, 1
PATCHES = (SIDE // PATCH) ** 2
SPECIAL = (
    *("<pad>", "<eos>", "<bos>", "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<unk>"),
    *("<start_of_turn>", "<end_of_turn>"),
)
WORDS = (
    *("red", "green", "blue", "star", "ring", "dots", "a", "the", "image"),
    *("user", "model", "what", "is", "this", "describe", ".", "?"),
)
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn> {{ m['role'] }} "
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<start_of_image>{% else %} {{ c['text'] }}{% endif %}"
    "{% endfor %}<end_of_turn>{% endfor %}{% if add_generation_prompt %}<start_of_turn> model{% endif %}"
)


def tokenizer(special: Sequence[str], named: Mapping[str, str], extra: Mapping[str, str]) -> Any:
    """One word, one token: first the special ones, then WORDS."""
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate((*special, *WORDS))}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, **named, extra_special_tokens=dict(extra))


def processor() -> Any:
    words = tokenizer(
        SPECIAL,
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"},
        {
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
            "sot_token": "<start_of_turn>",
            "eot_token": "<end_of_turn>",
        },
    )
    images = Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return Gemma3Processor(images, words, chat_template=TEMPLATE, image_seq_length=IMAGE_TOKENS)


def language(special: Sequence[str], width: int = 32) -> dict[str, Any]:
    """The language model's part of a config."""
    return {
        "vocab_size": len(special) + len(WORDS),
        **{"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 2},
        **{"num_key_value_heads": 1, "head_dim": width // 2, "max_position_embeddings": 256},
    }


def enliven(vlm: Any) -> None:
    """Scale random weights behind the tower up so that what an image shows changes the words; some texts end, some are
    cut."""
    with torch.no_grad():
        for name, parameter in vlm.named_parameters():
            if parameter.ndim == 2 and "vision_tower" not in name:
                parameter.normal_(std=0.5)


def model(seed: int = 1, width: int = 32) -> Any:
    """Random weights; `width` is the language model's."""
    torch.manual_seed(seed)
    config = Gemma3Config(
        text_config={
            **language(SPECIAL, width),
            **{"query_pre_attn_scalar": 16, "sliding_window": 16},
            **{"layer_types": ["sliding_attention", "full_attention"]},
            **{"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2},
        },
        vision_config={
            "model_type": "siglip_vision_model",
            **{"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": BLOCKS, "num_attention_heads": 2},
            **{"image_size": SIDE, "patch_size": PATCH, "vision_use_head": False},
        },
        mm_tokens_per_image=IMAGE_TOKENS,
        **{"boi_token_index": 3, "eoi_token_index": 4, "image_token_index": 5},
        **{"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2},
        tie_word_embeddings=False,  # tied random embeddings repeat the last word for ever
    )
    gemma = Gemma3ForConditionalGeneration(config).float().eval()
    gemma.generation_config.eos_token_id = [1, 8]  # like the real one: <eos> or <end_of_turn>
    enliven(gemma)
    with torch.no_grad():
        gemma.model.multi_modal_projector.mm_input_projection_weight.normal_()  # it starts at zeros
    return gemma


def save(folder: Path, seed: int = 1, shard: str = "5GB") -> Path:
    """The checkpoint as transformers saves it; a small `shard` splits it into several files with an index."""
    model(seed).save_pretrained(folder, max_shard_size=shard)
    processor().save_pretrained(folder)
    return folder


def picture(seed: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Pixels uint8 [h, w, 3] made of a few coloured blocks."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((-(-height // 4), -(-width // 4), 1), np.uint8))[:height, :width]
