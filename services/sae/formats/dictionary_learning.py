"""The dictionary_learning package: `ae.pt`, `config.json` and, if measured, `latent_activation_frequency.json`.

config.json's `trainer.dict_class` tells the class; a run's files lie in its folder or in the folder's `trainer_0/`.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from services.sae.activations import BatchTopK, JumpReLU, ReLU, TopK
from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.formats.gates import gated_as_jump_relu
from services.sae.formats.place import Run
from services.sae.formats.reading import checked_k, json_object, shares, tensor, torch_state, whole
from services.sae.formats.registry import SaeFormat, register

_STATE, _CONFIG, _FREQUENCY = "ae.pt", "config.json", "latent_activation_frequency.json"
_SAID_BY = "config.json"


class _State:
    """The state dict, and the sizes that config.json claims: d `activation_dim`, s `dict_size`."""

    def __init__(self, tensors: Mapping[str, Any], trainer: Mapping[str, Any]) -> None:
        self._tensors, self._trainer = tensors, trainer
        self.width, self.size = (
            whole(trainer, key, "config.json: trainer.") for key in ("activation_dim", "dict_size")
        )

    def matrix(self, name: str, rows: int, columns: int) -> Tensor:
        return tensor(self._tensors, name, (rows, columns), _STATE, _SAID_BY)

    def vector(self, name: str, length: int | None = None) -> Tensor:
        return tensor(self._tensors, name, (self.size if length is None else length,), _STATE, _SAID_BY)

    def number(self, name: str) -> Tensor:
        return tensor(self._tensors, name, (), _STATE, _SAID_BY)

    @property
    def kept(self) -> int:
        kept = checked_k(whole(self._trainer, "k", "config.json: trainer."), self.size, "config.json: trainer.k")
        if "k" in self._tensors and int(self._tensors["k"]) != kept:
            raise CheckpointError(f"{_STATE}: k is {int(self._tensors['k'])}, config.json says {kept}")
        return kept


def _linear(state: _State, bias: str) -> dict[str, Any]:
    """Two `nn.Linear`, and the bias of the output under the name `bias`."""
    return {
        "encoder_weight": state.matrix("encoder.weight", state.size, state.width),
        "encoder_bias": state.vector("encoder.bias"),
        "directions": state.matrix("decoder.weight", state.width, state.size).T.contiguous(),
        "b_dec": state.vector(bias, state.width),
    }


def _plain(state: _State) -> dict[str, Any]:
    """W_enc [d, s], b_enc, W_dec [s, d], b_dec."""
    return {
        "encoder_weight": state.matrix("W_enc", state.width, state.size).T.contiguous(),
        "encoder_bias": state.vector("b_enc"),
        "directions": state.matrix("W_dec", state.size, state.width),
        "b_dec": state.vector("b_dec", state.width),
    }


def _gated(state: _State) -> dict[str, Any]:
    weight, bias, activation = gated_as_jump_relu(
        state.matrix("encoder.weight", state.size, state.width),
        *(state.vector(name) for name in ("r_mag", "gate_bias", "mag_bias")),
    )
    return {
        "encoder_weight": weight,
        "encoder_bias": bias,
        "directions": state.matrix("decoder.weight", state.width, state.size).T.contiguous(),
        "b_dec": state.vector("decoder_bias", state.width),
        "activation": activation,
    }


_CLASSES: Mapping[str, Callable[[_State], dict[str, Any]]] = {
    "AutoEncoder": lambda s: _linear(s, "bias") | {"activation": ReLU()},
    "AutoEncoderNew": lambda s: _linear(s, "decoder.bias") | {"activation": ReLU(), "subtracts_b_dec": False},
    "AutoEncoderTopK": lambda s: _linear(s, "b_dec") | {"activation": TopK(s.kept)},
    "BatchTopKSAE": lambda s: _linear(s, "b_dec") | {"activation": BatchTopK(s.number("threshold"), s.kept)},
    "MatryoshkaBatchTopKSAE": lambda s: _plain(s) | {"activation": BatchTopK(s.number("threshold"), s.kept)},
    "JumpReluAutoEncoder": lambda s: (
        _plain(s) | {"activation": JumpReLU(s.vector("threshold")), "subtracts_b_dec": False}
    ),
    "GatedAutoEncoder": _gated,
}


@register("dictionary_learning")
class DictionaryLearning(SaeFormat):
    """The classes of `dictionary_learning` 0.1, Matryoshka with all its groups."""

    files = f"{_STATE} with {_CONFIG}, here or in trainer_0/"
    folders = ("", "trainer_0")

    @staticmethod
    def recognises(names: frozenset[str]) -> bool:
        return _STATE in names

    @staticmethod
    def read(run: Run) -> SaeCheckpoint:
        config, file = run.path(_CONFIG), run.path(_STATE)
        trainer = _trainer(config)
        kind = str(trainer.get("dict_class"))
        if kind not in _CLASSES:
            raise CheckpointError(f"{config}: dict_class is {kind}; these can be served: {', '.join(_CLASSES)}")
        state = _State(torch_state(file), trainer)
        norm, frequency = trainer.get("mean_residual_norm"), run.find(_FREQUENCY)
        layer = whole(trainer, "layer", "config.json: trainer.") if trainer.get("layer") is not None else None
        return SaeCheckpoint(
            **_CLASSES[kind](state),
            format="dictionary_learning",
            frequency=None if frequency is None else _frequency(frequency, state.size),
            layer=layer,
            mean_residual_norm=None if norm is None else float(norm),
            digest=run.digest([_STATE, _CONFIG, _FREQUENCY]),
        )


def _trainer(file: Path) -> Mapping[str, Any]:
    trainer = json_object(file).get("trainer")
    if not isinstance(trainer, dict):
        raise CheckpointError(f"{file}: has no table 'trainer'; write it with the dictionary_learning package")
    return trainer


def _frequency(file: Path, size: int) -> Tensor:
    values = json.loads(file.read_text(encoding="utf-8"))
    numbers = isinstance(values, list) and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    return shares(torch.tensor(values if numbers else [], dtype=torch.float32), size, str(file))
