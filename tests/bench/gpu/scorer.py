"""CLIP ViT-L/14 with random weights, in open_clip's own form of a local model."""

import json
from pathlib import Path

import open_clip
from safetensors.torch import save_file

from tests.bench.gpu.sizes import Sizes


def save_clip(sizes: Sizes, folder: Path) -> None:
    """The published model's tokenizer comes with open_clip."""
    prepared = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
    config = {"model_cfg": {**sizes.clip, "quick_gelu": True}, "preprocess_cfg": prepared}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.float().state_dict(), folder / "open_clip_model.safetensors")
