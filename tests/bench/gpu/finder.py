"""Grounding DINO base and SAM 2.1 hiera-large with random weights, saved as the published ones are."""

from pathlib import Path
from typing import Any

import sam2
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from transformers import (
    BertConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    SwinConfig,
)

from tests.bench.gpu.sizes import Sizes
from tests.bench.gpu.words import bert_letters


def dino_config(sizes: Sizes) -> GroundingDinoConfig:
    """The configuration."""
    return GroundingDinoConfig(
        backbone_config=SwinConfig(patch_size=4, out_features=["stage2", "stage3", "stage4"], **sizes.swin),
        text_config=BertConfig(**sizes.bert),
        **sizes.dino,
    )


def save_dino(sizes: Sizes, folder: Path) -> None:
    """Detector and processor. Its weights are served in float32, whatever is computed in."""
    model: Any = GroundingDinoForObjectDetection(dino_config(sizes))
    model.float().save_pretrained(folder)
    images = GroundingDinoImageProcessor(size=sizes.dino_side)
    GroundingDinoProcessor(images, bert_letters(folder)).save_pretrained(folder)


def save_sam(sizes: Sizes, folder: Path) -> None:
    """`model.yaml`, the package's own configuration with the sizes' changes, and `model.pt`."""
    config = OmegaConf.load(Path(sam2.__file__).parent / sizes.sam)
    for key, value in sizes.sam_changes.items():
        OmegaConf.update(config.model, key, value)
    text = "# @package _global_\n" + OmegaConf.to_yaml(config)
    (folder / "model.yaml").write_text(text, encoding="utf-8")
    model = instantiate(config.model, _recursive_=True)
    torch.save({"model": model.float().state_dict()}, folder / "model.pt")
