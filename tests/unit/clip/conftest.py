"""A random CLIP of open_clip's own classes, in open_clip's own form of a local model."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

CONTEXT = 8


def save_clip(folder: Path, seed: int = 0, **model_options: object) -> Path:
    """A random CLIP; `model_options` go to open_clip's `model_cfg`."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|pad|>", *letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="<|pad|>", model_max_length=CONTEXT).save_pretrained(folder)
    config = {
        "model_cfg": {
            "embed_dim": 16,
            "vision_cfg": {"image_size": 32, "patch_size": 8, "layers": 2, "width": 32, "head_width": 16},
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": len(tokens),
                "hf_tokenizer_name": "any",
                "width": 32,
                "heads": 2,
                "layers": 2,
            },
            **model_options,
        },
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights in an architecture with QuickGELU, as OpenAI's."""
    return save_clip(tmp_path_factory.mktemp("quick"), quick_gelu=True)
