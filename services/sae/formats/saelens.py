"""SAELens: `cfg.json` and `sae_weights.safetensors` (W_enc [d, s], b_enc, W_dec [s, d], b_dec, …), 5.x and 6.x.

Architectures standard, topk, jumprelu, gated; batchtopk and matryoshka_batchtopk, which finished runs store as
jumprelu. Firing frequencies come from `sparsity.safetensors` (log10) where it lies beside.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from services.sae.activations import Activation, BatchTopK, JumpReLU, ReLU, TopK
from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.formats.gates import gated_as_jump_relu
from services.sae.formats.place import Run
from services.sae.formats.reading import checked_k, json_object, safetensors_state, shares, tensor, whole
from services.sae.formats.registry import SaeFormat, register

_STATE, _CONFIG, _SPARSITY = "sae_weights.safetensors", "cfg.json", "sparsity.safetensors"
_HOOK = re.compile(r"(?:.*\.)?(?:blocks|layers?|resblocks)\.(\d+)(?:\.(.+))?")
_NEVER = 1e-9  # SAELens adds 1e-10 before it takes the logarithm
_FOLDED_BY_USER = "expected_average_only_in"
_PER_PATCH = "it depends on every patch, so that it cannot be folded into the weights"
_REFUSED_NORMALISATIONS = {
    "constant_norm_rescale": _PER_PATCH,
    "layer_norm": _PER_PATCH,
    "covariance_whitening": "fold it with SAELens (fold_activation_whitening) and save again",
}


class _State:
    """The tensors, with the sizes and the switches of cfg.json."""

    def __init__(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        self.tensors, self.config = tensors, config
        self.width, self.size = (whole(config, key, f"{_CONFIG}: ") for key in ("d_in", "d_sae"))

    def get(self, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
        return tensor(self.tensors, name, (self.size,) if shape is None else shape, _STATE, _CONFIG)

    @property
    def kept(self) -> int:
        k = self.config.get("k")
        if not isinstance(k, int | float) or isinstance(k, bool):
            raise CheckpointError(f"{_CONFIG}: k is {k!r}; it must be a number")
        return checked_k(round(k), self.size, f"{_CONFIG}: k")


def _topk(state: _State) -> Activation:
    return TopK(state.kept)


def _batch_topk(state: _State) -> Activation:
    return BatchTopK(state.get("topk_threshold", ()), state.kept)


_ACTIVATIONS: Mapping[str, Callable[[_State], Activation]] = {
    "standard": lambda _state: ReLU(),
    "topk": _topk,
    "jumprelu": lambda state: JumpReLU(state.get("threshold")),
    "batchtopk": _batch_topk,
    "matryoshka_batchtopk": _batch_topk,
}


@register("saelens")
class SaeLens(SaeFormat):
    """Residual-stream SAEs of SAELens."""

    files = f"{_STATE} with {_CONFIG}"

    @staticmethod
    def recognises(names: frozenset[str]) -> bool:
        return _STATE in names

    @staticmethod
    def read(run: Run) -> SaeCheckpoint:
        config = _modern(json_object(run.path(_CONFIG)))
        awaits = _normalisation(config)
        state = _State(safetensors_state(run.path(_STATE)), config)
        sparsity = run.find(_SPARSITY)
        return SaeCheckpoint(
            **_weights(state),
            format="saelens",
            subtracts_b_dec=bool(config.get("apply_b_dec_to_input", True)),
            frequency=None if sparsity is None else _frequency(safetensors_state(sparsity), state.size),
            layer=layer_of_hook(str(config.get("hook_name") or "")),
            awaits_scale=awaits,
            digest=run.digest([_STATE, _CONFIG, _SPARSITY]),
        )


def _modern(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """cfg.json of any version with the names of 6.x; what was `metadata` stands beside the rest."""
    flat = dict(config) | dict(config.get("metadata") or {})
    flat["hook_name"] = flat.get("hook_name", flat.get("hook_point"))
    flat["architecture"] = flat.get("architecture") or "standard"
    function = str(flat.get("activation_fn", flat.get("activation_fn_str", "relu")))
    if function == "topk":  # before 6.0 a standard SAE with another function
        flat["architecture"], flat["k"] = "topk", (flat.get("activation_fn_kwargs") or {}).get("k", flat.get("k"))
    elif function != "relu":
        raise CheckpointError(f"{_CONFIG}: activation_fn is {function}; only relu and topk can be served")
    if flat.get("finetuning_scaling_factor"):
        raise CheckpointError(f"{_CONFIG}: finetuning_scaling_factor is set; fold it into W_dec and save again")
    if flat.get("reshape_activations", "none") not in ("none", None):
        raise CheckpointError(
            f"{_CONFIG}: reshape_activations is {flat['reshape_activations']}, so that the SAE reads "
            "attention heads; only SAEs of the residual stream can be served"
        )
    return flat


def _normalisation(config: Mapping[str, Any]) -> str:
    """Why the input has to be scaled by a factor that the files do not hold; "" if it need not."""
    kind = config.get("normalize_activations") or "none"
    if kind is True:
        kind = _FOLDED_BY_USER
    if kind in _REFUSED_NORMALISATIONS:
        raise CheckpointError(f"{_CONFIG}: normalize_activations is {kind}; {_REFUSED_NORMALISATIONS[kind]}")
    if kind not in ("none", _FOLDED_BY_USER):
        raise CheckpointError(f"{_CONFIG}: normalize_activations is {kind!r}, which is not known here; fold it first")
    return (
        "" if kind == "none" else f"{_CONFIG}: normalize_activations is {kind}, its factor √d/E‖z‖ is not in the files"
    )


def _weights(state: _State) -> dict[str, Any]:
    architecture = state.config["architecture"]
    activation: Activation
    encoder = state.get("W_enc", (state.width, state.size)).T.contiguous()
    directions = state.get("W_dec", (state.size, state.width))
    if architecture == "gated":
        encoder, bias, activation = gated_as_jump_relu(encoder, *map(state.get, ("r_mag", "b_gate", "b_mag")))
    elif architecture in _ACTIVATIONS:
        bias, activation = state.get("b_enc"), _ACTIVATIONS[architecture](state)
    else:
        known = ", ".join((*_ACTIVATIONS, "gated"))
        raise CheckpointError(f"{_CONFIG}: architecture is {architecture}; these can be served: {known}")
    if state.config.get("rescale_acts_by_decoder_norm"):  # the activation sees pre-activations times these lengths
        norms = directions.norm(dim=1).clamp_min(1e-8)
        encoder, bias, directions = encoder * norms[:, None], bias * norms, directions / norms[:, None]
    return {
        "encoder_weight": encoder,
        "encoder_bias": bias,
        "directions": directions,
        "b_dec": state.get("b_dec", (state.width,)),
        "activation": activation,
    }


def layer_of_hook(hook: str) -> int | None:
    """The block whose output the hook reads: TransformerLens' names, or a module's path. None where it tells none.

    Raises CheckpointError for hooks elsewhere than in the residual stream.
    """
    found = _HOOK.fullmatch(hook)
    if found is None:
        return None
    block, part = int(found[1]), found[2] or "hook_resid_post"
    layer = {"hook_resid_post": block, "hook_resid_pre": block - 1}.get(part, -1)
    if layer < 0:
        raise CheckpointError(
            f"{_CONFIG}: the SAE was trained on {hook}; only those of the residual stream after a block can be served"
        )
    return layer


def _frequency(state: Mapping[str, Tensor], size: int) -> Tensor:
    logarithm = tensor(state, "sparsity", (size,), _SPARSITY, _CONFIG)
    frequency = torch.pow(10, logarithm)
    return shares(torch.where(frequency > _NEVER, frequency, 0.0).clamp_max(1), size, _SPARSITY)
