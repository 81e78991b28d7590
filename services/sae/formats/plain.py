"""Plain safetensors, for SAEs from anywhere: one `*.safetensors` file in a folder of its own.

Tensors: `W_enc` [s, d], `b_enc` [s], `W_dec` [s, d], `b_dec` [d], of any float dtype; `threshold` ([] or [s]) for
jump_relu and batch_topk; `frequency` [s], the share of patches on which each feature fired, if it is known.
Header (safetensors' metadata, all of it text):

    format              steerscope-sae-1
    activation          relu | topk | jump_relu | batch_topk
    k                   features kept: topk, batch_topk
    layer               the block, 0-based, after which the stream was read; may be left out
    subtract_b_dec      true (default) or false: whether the encoder reads z − b_dec or z
    input_scale         the SAE was trained on input_scale · z (default 1); it is folded in
    mean_residual_norm  E‖z‖ at the layer; may be left out
    note                anything

Written with: safetensors.torch.save_file(tensors, "sae.safetensors", {"format": "steerscope-sae-1", …}).
"""

import math
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from services.sae.activations import Activation, BatchTopK, JumpReLU, ReLU, TopK
from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.formats.place import Run
from services.sae.formats.reading import checked_k, matrix_shape, safetensors_state, shares, tensor
from services.sae.formats.registry import SaeFormat, register

_FORMAT = "steerscope-sae-1"
_KEYS = ("format", "activation", "k", "layer", "subtract_b_dec", "input_scale", "mean_residual_norm", "note")
_SUFFIX = ".safetensors"


@register("plain")
class Plain(SaeFormat):
    """The format above."""

    files = f"one *{_SUFFIX} with a header of format {_FORMAT}"
    last = True  # other libraries' folders hold safetensors, too

    @staticmethod
    def recognises(names: frozenset[str]) -> bool:
        return sum(name.endswith(_SUFFIX) for name in names) == 1

    @staticmethod
    def read(run: Run) -> SaeCheckpoint:
        (name,) = (name for name in run.names if name.endswith(_SUFFIX))
        file = run.path(name)
        header = _Header(file)
        state = safetensors_state(file)
        size, width = matrix_shape(state, "W_enc", name)
        shapes = {"W_enc": (size, width), "b_enc": (size,), "W_dec": (size, width), "b_dec": (width,)}
        read = {key: tensor(state, key, shape, name, "W_enc") for key, shape in shapes.items()}
        sae = SaeCheckpoint(
            encoder_weight=read["W_enc"],
            encoder_bias=read["b_enc"],
            directions=read["W_dec"],
            b_dec=read["b_dec"],
            activation=_activation(header, state, size, name),
            format="plain",
            subtracts_b_dec=header.flag("subtract_b_dec", default=True),
            frequency=shares(state["frequency"], size, f"{name}: frequency") if "frequency" in state else None,
            layer=header.whole("layer"),
            mean_residual_norm=header.positive("mean_residual_norm"),
            digest=run.digest([name]),
        )
        scale = header.positive("input_scale")
        return sae if scale is None else sae.of_scaled(scale)


class _Header:
    """The checked texts of the header. Raises CheckpointError."""

    def __init__(self, file: Path) -> None:
        try:
            with safe_open(file, "pt") as opened:
                self._texts: Mapping[str, str] = opened.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file}: cannot be read as safetensors: {error}") from error
        self.file = file
        if self._texts.get("format") != _FORMAT:
            found = self._texts.get("format")
            raise CheckpointError(f"{file}: its header's format is {found!r}; a plain SAE says {_FORMAT!r}")
        if unknown := sorted(set(self._texts) - set(_KEYS)):
            raise CheckpointError(f"{file}: unknown keys {unknown} in the header; it may hold {', '.join(_KEYS)}")

    def text(self, key: str) -> str | None:
        return self._texts.get(key)

    def whole(self, key: str) -> int | None:
        text = self.text(key)
        if text is not None and not text.isdecimal():
            raise CheckpointError(f"{self.file}: {key} is {text!r}; it must be a whole number")
        return None if text is None else int(text)

    def positive(self, key: str) -> float | None:
        text = self.text(key)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise CheckpointError(f"{self.file}: {key} is {text!r}; it must be a number above 0")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        text = self._texts.get(key, str(default).lower())
        if text not in ("true", "false"):
            raise CheckpointError(f"{self.file}: {key} is {text!r}; it must be true or false")
        return text == "true"


def _activation(header: _Header, state: Mapping[str, Tensor], size: int, name: str) -> Activation:
    kind = header.text("activation")
    if kind == "relu":
        return ReLU()
    if kind == "topk":
        return TopK(_kept(header, size))
    if kind not in ("jump_relu", "batch_topk"):
        raise CheckpointError(f"{name}: activation is {kind!r}; give relu, topk, jump_relu or batch_topk")
    one_for_all = "threshold" in state and state["threshold"].ndim == 0
    threshold = tensor(state, "threshold", () if one_for_all else (size,), name, "W_enc")
    return JumpReLU(threshold) if kind == "jump_relu" else BatchTopK(threshold, _kept(header, size))


def _kept(header: _Header, size: int) -> int:
    kept = header.whole("k")
    if kept is None:
        raise CheckpointError(f"{header.file}: the header has no k; {header.text('activation')} needs it")
    return checked_k(kept, size, f"{header.file}: k")
