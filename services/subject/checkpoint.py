"""The vision tower's tensors in a checkpoint: found by name, read alone, hashed. Safetensors only.

A sharded checkpoint of the hub is downloaded only as far as its tower reaches.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers.utils import cached_file

from services.subject.base import Subject

_TOWER = re.compile(r"^(?:model\.)?vision_tower\.(?:vision_model\.)?")
_INDEX, _WHOLE = "model.safetensors.index.json", "model.safetensors"


@dataclass(frozen=True)
class _Stored:
    """Where a tensor of the tower lies: a file and its name in there."""

    file: Path
    name: str


def in_cut(name: str, layer: int, family: type[Subject]) -> bool:
    """Whether the tower's tensor `name` has a part in the residual stream after block `layer`."""
    if name.endswith(".position_ids"):  # counts up, is no weight, and only some versions of transformers store it
        return False
    if name.startswith(tuple(f"{entrance}." for entrance in family.entrance_names)):
        return True
    block = re.match(re.escape(family.blocks_name) + r"\.(\d+)\.", name)
    return block is not None and int(block[1]) <= layer


def read_tower(
    path: str, layer: int, family: type[Subject], *, revision: str | None = None
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of the tower up to block `layer`, by their names in the tower, sorted, in the checkpoint's dtype.

    `path` is a folder or a hub id, which `revision` pins. Raises ValueError when the checkpoint has no such tensors.
    """
    stored = _locate(path, revision, lambda name: in_cut(name, layer, family))
    if not stored:
        raise ValueError(
            f"{path}: no vision_tower tensors up to block {layer} in its safetensors; is it a VLM checkpoint?"
        )
    for name in sorted(stored):
        with safe_open(stored[name].file, "pt") as tensors:  # lazy: only the header is read
            yield name, tensors.get_tensor(stored[name].name)


def tower_digest(path: str, layer: int, family: type[Subject], *, revision: str | None = None) -> str:
    """12 hex digits over names, dtypes, shapes and bytes of the stored tensors up to block `layer`.

    Taken from the checkpoint and not from memory, so that it does not depend on the dtype a service computes in: VLMs
    with equal towers have equal digests, whatever their language models, shards and spelling of names.
    """
    digest = hashlib.sha256()
    for name, tensor in read_tower(path, layer, family, revision=revision):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def _locate(path: str, revision: str | None, wanted: Callable[[str], bool]) -> dict[str, _Stored]:
    index = cached_file(path, _INDEX, revision=revision, _raise_exceptions_for_missing_entries=False)
    if index is None:
        whole = Path(cached_file(path, _WHOLE, revision=revision))
        with safe_open(whole, "pt") as tensors:
            files = dict.fromkeys(tensors.keys(), _WHOLE)
    else:
        files = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"]
    names = {full: _TOWER.sub("", full) for full in files if _TOWER.match(full)}
    return {
        short: _Stored(Path(cached_file(path, files[full], revision=revision)), full)
        for full, short in names.items()
        if wanted(short)
    }
