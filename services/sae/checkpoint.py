"""Reading a TopK autoencoder as the dictionary_learning package writes it (METHOD §3).

`ae.pt`, `config.json` and `latent_activation_frequency.json`, in a folder or a hub repository, directly or in its
`trainer_0/`. Every inconsistency is an error here, not a wrong number later.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import cached_file

from services.serving.provenance import digest_files

_STATE, _CONFIG, _FREQUENCY = "ae.pt", "config.json", "latent_activation_frequency.json"
_CLASS = "AutoEncoderTopK"


class CheckpointError(ValueError):
    """The SAE's files are missing or contradict each other. The message names the file, the rule and the remedy."""


@dataclass(frozen=True)
class SaeCheckpoint:
    """A TopK autoencoder: f(z) = topk_k(relu(W_enc (z − b_dec) + b_enc)); directions are the decoder's rows W_dec[i].

    float32 on the CPU. `layer` and `mean_residual_norm` (E‖z‖ at the layer) are None where config.json has none.
    """

    encoder_weight: Tensor  # [s, d]
    encoder_bias: Tensor  # [s]
    directions: Tensor  # [s, d]
    b_dec: Tensor  # [d]
    kept: int
    frequency: Tensor  # [s], share of patches on which a feature fired
    layer: int | None
    mean_residual_norm: float | None
    digest: str

    @property
    def size(self) -> int:
        """s, the number of features."""
        return self.directions.shape[0]

    @property
    def width(self) -> int:
        """d, the width of the residual stream."""
        return self.directions.shape[1]


def load_checkpoint(path: str, subfolder: str = "") -> SaeCheckpoint:
    """Read the SAE at `path` (folder or hub id) in `subfolder` (the run). Raises CheckpointError."""
    state_file = _locate(path, subfolder, _STATE)
    try:
        state = torch.load(state_file, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises anything on foreign bytes
        raise CheckpointError(f"{state_file}: not a state dict that torch.load(weights_only=True) reads") from error
    trainer = _trainer(_locate(path, subfolder, _CONFIG))
    width, size, kept = (_whole(trainer, key) for key in ("activation_dim", "dict_size", "k"))
    shapes = {
        "encoder.weight": (size, width),
        "encoder.bias": (size,),
        "decoder.weight": (width, size),
        "b_dec": (width,),
    }
    tensors = {name: _tensor(state, name, shape) for name, shape in shapes.items()}
    _check_kept(kept, size, state)
    frequency_file = _locate(path, subfolder, _FREQUENCY)
    norm = trainer.get("mean_residual_norm")
    return SaeCheckpoint(
        encoder_weight=tensors["encoder.weight"],
        encoder_bias=tensors["encoder.bias"],
        directions=tensors["decoder.weight"].T.contiguous(),
        b_dec=tensors["b_dec"],
        kept=kept,
        frequency=_frequency(frequency_file, size),
        layer=_whole(trainer, "layer") if trainer.get("layer") is not None else None,
        mean_residual_norm=None if norm is None else float(norm),
        digest=digest_files([state_file, frequency_file]),
    )


def _locate(path: str, subfolder: str, name: str) -> Path:
    for folder in (subfolder, f"{subfolder}/trainer_0".lstrip("/")):
        found = cached_file(path, name, subfolder=folder, _raise_exceptions_for_missing_entries=False)
        if found is not None:
            return Path(found)
    where = f"{path}/{subfolder}".rstrip("/")
    raise CheckpointError(f"{where}: no {name}, nor trainer_0/{name}; give the folder of one trained SAE")


def _trainer(file: Path) -> Mapping[str, Any]:
    trainer = json.loads(file.read_text(encoding="utf-8")).get("trainer")
    if not isinstance(trainer, dict):
        raise CheckpointError(f"{file}: has no table 'trainer'; write it with the dictionary_learning package")
    kind = str(trainer.get("dict_class"))
    if kind != _CLASS:
        raise CheckpointError(f"{file}: dict_class is {kind}; only {_CLASS} can be served")
    return trainer


def _whole(trainer: Mapping[str, Any], key: str) -> int:
    value = trainer.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise CheckpointError(f"config.json: trainer.{key} is {value!r}; it must be a whole number")
    return value


def _tensor(state: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = state.get(name)
    if not isinstance(tensor, Tensor):
        raise CheckpointError(f"{_STATE}: has no tensor {name!r}; it must be the state dict of an {_CLASS}")
    if tuple(tensor.shape) != shape:
        raise CheckpointError(f"{_STATE}: {name} has shape {list(tensor.shape)}, config.json says {list(shape)}")
    if not tensor.isfinite().all():
        raise CheckpointError(f"{_STATE}: {name} holds values that are not finite; the training diverged")
    return tensor.detach().float()


def _check_kept(kept: int, size: int, state: Mapping[str, Any]) -> None:
    if not 1 <= kept <= size:
        raise CheckpointError(f"config.json: trainer.k is {kept}; it must lie between 1 and dict_size {size}")
    if "k" in state and int(state["k"]) != kept:
        raise CheckpointError(f"{_STATE}: k is {int(state['k'])}, config.json says {kept}")


def _frequency(file: Path, size: int) -> Tensor:
    values = json.loads(file.read_text(encoding="utf-8"))
    numbers = isinstance(values, list) and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    if not numbers or len(values) != size or not all(0 <= v <= 1 for v in values):
        raise CheckpointError(f"{file}: must be a list of {size} shares between 0 and 1, one per feature")
    return torch.tensor(values, dtype=torch.float32)
