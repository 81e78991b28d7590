"""What all formats need: state dicts, JSON and checked values out of files that strangers wrote."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from services.sae.autoencoder import CheckpointError


def torch_state(file: Path, data: bytes | None = None) -> Mapping[str, Any]:
    """A state dict that torch saved, without running what it holds; from `data` if given. Raises CheckpointError."""
    try:
        state = torch.load(file if data is None else io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises anything on foreign bytes
        raise CheckpointError(f"{file}: not a state dict that torch.load(weights_only=True) reads") from error
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{file}: holds a {type(state).__name__}; it must be a state dict")
    return state


def safetensors_state(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a safetensors file. Raises CheckpointError."""
    try:
        state: Mapping[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file}: cannot be read as safetensors: {error}") from error
    return state


def json_object(file: Path) -> Mapping[str, Any]:
    """A JSON object. Raises CheckpointError."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file}: is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{file}: must hold a JSON object, not a {type(value).__name__}")
    return value


def whole(values: Mapping[str, Any], key: str, where: str) -> int:
    """The whole number ≥ 0 at `key`; `where` names the table. Raises CheckpointError."""
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise CheckpointError(f"{where}{key} is {value!r}; it must be a whole number")
    return value


def checked_k(kept: int, size: int, where: str) -> int:
    """`kept` if an SAE of `size` features can keep that many. Raises CheckpointError."""
    if not 1 <= kept <= size:
        raise CheckpointError(f"{where} is {kept}; it must lie between 1 and dict_size {size}")
    return kept


def tensor(state: Mapping[str, Any], name: str, shape: tuple[int, ...], file: str, said_by: str) -> Tensor:
    """A finite tensor of that shape as float32. `said_by` names what the shape comes from. Raises CheckpointError."""
    value = state.get(name)
    if not isinstance(value, Tensor):
        raise CheckpointError(f"{file}: has no tensor {name!r}; it has {', '.join(sorted(map(str, state))) or 'none'}")
    if tuple(value.shape) != shape:
        raise CheckpointError(f"{file}: {name} has shape {list(value.shape)}, {said_by} says {list(shape)}")
    if not value.isfinite().all():
        raise CheckpointError(f"{file}: {name} holds values that are not finite; the training diverged")
    return value.detach().float()


def matrix_shape(state: Mapping[str, Any], name: str, file: str) -> tuple[int, int]:
    """The shape of a matrix. Raises CheckpointError."""
    value = state.get(name)
    if not isinstance(value, Tensor) or value.ndim != 2:
        raise CheckpointError(f"{file}: has no matrix {name!r}; it has {', '.join(sorted(map(str, state))) or 'none'}")
    return value.shape[0], value.shape[1]


def shares(values: Tensor, size: int, where: str) -> Tensor:
    """Firing frequencies, checked to be one share per feature. Raises CheckpointError."""
    if values.shape != (size,) or not ((values >= 0) & (values <= 1)).all():
        raise CheckpointError(f"{where}: must be a list of {size} shares between 0 and 1, one per feature")
    return values.float()
