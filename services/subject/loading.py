"""Making a subject: cut out of a loaded VLM, or loaded alone up to block N."""

import copy
from typing import Any

import torch
from transformers import AutoConfig, AutoModel
from transformers.initialization import no_init_weights

from services.subject.base import Subject
from services.subject.checkpoint import in_cut, read_tower
from services.subject.registry import family_of


def family_of_checkpoint(path: str, *, revision: str | None = None) -> type[Subject]:
    """The family of the checkpoint at `path` (folder or hub id, which `revision` pins). Raises ValueError when there
    is none."""
    return _family_for(AutoConfig.from_pretrained(path, revision=revision))


def subject_of(vlm: Any, layer: int) -> Subject:
    """The subject inside a loaded VLM, cut after block `layer`. Raises ValueError (unknown family, bad layer)."""
    family = _family_for(vlm.config)
    return family(family.tower_of(vlm), layer, vlm)


def load_cut_tower(
    path: str,
    layer: int,
    *,
    device: torch.device,
    dtype: torch.dtype,
    attention: str,
    revision: str | None = None,
) -> Subject:
    """The subject without anything behind block `layer`: no later block, no language model is read or held.

    `attention` is transformers' name (`sdpa`, `eager`, …). Raises ValueError: unknown family, bad layer,
    tensors missing.
    """
    config = AutoConfig.from_pretrained(path, revision=revision)
    family = _family_for(config)
    vision = copy.deepcopy(config.vision_config)
    if not 0 <= layer < vision.num_hidden_layers:
        raise ValueError(f"layer {layer}: the encoder of {path} has blocks 0 to {vision.num_hidden_layers - 1}")
    vision.num_hidden_layers = layer + 1
    with no_init_weights():  # every tensor that is used comes from the checkpoint
        tower = AutoModel.from_config(vision, attn_implementation=attention, dtype=dtype)
    absent, _ = tower.load_state_dict(dict(read_tower(path, layer, family, revision=revision)), strict=False)
    if lost := [name for name in absent if in_cut(name, layer, family)]:
        raise ValueError(f"{path}: the checkpoint lacks vision_tower tensors, first {lost[0]}")
    return family(tower.to(device).eval(), layer)


def _family_for(config: Any) -> type[Subject]:
    family = family_of(config.model_type)
    family.check(config)
    return family
