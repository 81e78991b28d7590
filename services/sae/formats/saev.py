"""saev: `sae.pt`, one line of JSON and behind it a state dict (W_enc [d, s], b_enc, W_dec [s, d], b_dec).

Written by versions without `schema` (saev 0.1) up to schema 5; the files lie in a run's folder or its `checkpoint/`,
where `config.json` tells the layer. Up to 0.1 the library took b_dec off the input, later ones do not.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.sae.activations import Activation, BatchTopK, ReLU, TopK
from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.formats.place import Run
from services.sae.formats.reading import checked_k, json_object, matrix_shape, tensor, torch_state, whole
from services.sae.formats.registry import SaeFormat, register

_STATE, _CONFIG = "sae.pt", "config.json"
_LONGEST_HEADER = 1 << 20
_SCHEMAS = (1, 2, 3, 4, 5)


@register("saev")
class Saev(SaeFormat):
    """ReLU, TopK and BatchTopK SAEs of saev.

    Where fewer than k pre-activations are positive, saev's TopK lets negative ones pass; here they count as silent.
    """

    files = f"{_STATE}, here or in checkpoint/"
    folders = ("", "checkpoint")

    @staticmethod
    def recognises(names: frozenset[str]) -> bool:
        return _STATE in names

    @staticmethod
    def read(run: Run) -> SaeCheckpoint:
        file = run.path(_STATE)
        header, data = _split(file)
        state = torch_state(file, data)
        width, size = matrix_shape(state, "W_enc", _STATE)
        shapes = {"W_enc": (width, size), "b_enc": (size,), "W_dec": (size, width), "b_dec": (width,)}
        read = {name: tensor(state, name, shape, _STATE, "W_enc") for name, shape in shapes.items()}
        config = run.find(_CONFIG)
        return SaeCheckpoint(
            encoder_weight=read["W_enc"].T.contiguous(),
            encoder_bias=read["b_enc"],
            directions=read["W_dec"],
            b_dec=read["b_dec"],
            activation=_activation(header, state, size),
            format="saev",
            subtracts_b_dec="schema" not in header,
            layer=None if config is None else _layer(json_object(config)),
            digest=run.digest([_STATE]),
        )


def _split(file: Path) -> tuple[Mapping[str, Any], bytes]:
    with file.open("rb") as stream:
        line, rest = stream.readline(_LONGEST_HEADER), stream.read()
    try:
        header = json.loads(line)
    except ValueError as error:
        raise CheckpointError(f"{file}: does not begin with a line of JSON, as saev's checkpoints do") from error
    if not isinstance(header, dict) or ("schema" in header and header["schema"] not in _SCHEMAS):
        known = ", ".join(map(str, _SCHEMAS))
        raise CheckpointError(f"{file}: its first line is no header of saev with schema {known}, or none at all")
    return header, rest


def _activation(header: Mapping[str, Any], state: Mapping[str, Any], size: int) -> Activation:
    if "schema" not in header:
        return ReLU()
    config = header.get("cfg", {})
    told = config.get("activation", {"cls": header.get("cls"), "params": config})
    kind, parameters = told.get("cls"), told.get("params", {})
    if kind == "Relu":
        return ReLU()
    if kind not in ("TopK", "BatchTopK"):
        raise CheckpointError(f"{_STATE}: the activation is {kind}; Relu, TopK and BatchTopK can be served")
    kept = min(whole(parameters, "top_k", f"{_STATE}: activation."), size)  # as saev does
    kept = checked_k(kept, size, f"{_STATE}: activation.top_k")
    if kind == "TopK":
        return TopK(kept)
    return BatchTopK(tensor(state, "activation.threshold", (), _STATE, "saev"), kept)


def _layer(config: Mapping[str, Any]) -> int | None:
    """The block of a training run, where it is one block counted from the front."""
    layer = (config.get("train_data") or {}).get("layer")
    return layer if isinstance(layer, int) and not isinstance(layer, bool) and layer >= 0 else None
