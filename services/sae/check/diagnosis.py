"""What an SAE that does not reconstruct the stream was made for instead: other blocks, other normalisations.

Every guess is a changed SAE or a changed stream; the one under which the SAE reconstructs is what is wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from services.sae.autoencoder import SaeCheckpoint
from services.sae.check.figures import measure

_TIE = 0.02  # R² that a less likely guess must gain over a likelier one


@dataclass(frozen=True)
class Guess:
    """What could be wrong, what to do about it, and the R² under it."""

    wrong: str
    remedy: str
    r2: float

    def __str__(self) -> str:
        return f"{self.wrong} (R² {self.r2:.2f}): {self.remedy}"


def best(guesses: Iterable[Guess], least: float) -> Guess | None:
    """The guess of the largest R² ≥ `least`; of nearly equal ones the first."""
    found = [guess for guess in guesses if guess.r2 >= least]
    top = max((guess.r2 for guess in found), default=0.0)
    return next((guess for guess in found if guess.r2 >= top - _TIE), None)


def other_blocks(sae: SaeCheckpoint, streams: Iterable[tuple[int, Tensor]], claimed: int) -> Iterator[Guess]:
    """The SAE at every block but the claimed one."""
    told = sae.layer is not None
    for block, stream in streams:
        if block != claimed:
            remedy = "the layer in its files is wrong, or `model`" if told else f"set `layer` to {block}"
            yield Guess(f"it reconstructs block {block}", remedy, measure(sae, stream).r2)


def other_scales(sae: SaeCheckpoint, stream: Tensor, scale: float, apart: float) -> Iterator[Guess]:
    """The SAE with b_dec the other way and of a differently scaled stream; `scale` is the `input_scale` in force.

    Factors less than `apart` times from 1 are left out: they may flatter a mediocre SAE that is right as it is.
    """
    yield _other_bias(sae, stream)
    if scale != 1:
        yield Guess(
            "it expects inputs as they are", "leave `input_scale` out", measure(sae.of_scaled(1 / scale), stream).r2
        )
    yield from _scales(sae, stream, scale, apart)


def other_streams(sae: SaeCheckpoint, stream: Tensor) -> Iterator[Guess]:
    """The SAE of a centred stream, and of normed patches: normalisations that no setting makes good."""
    mean = stream.float().mean(0)
    yield Guess(
        "it expects inputs whose mean over patches is taken off",
        "fold the training mean into b_dec (and b_enc, where b_dec is not subtracted) and save it again",
        max(measure(of_centred(one, mean.cpu()), stream).r2 for one in (sae, sae.of_scaled(1 / _rms(stream - mean)))),
    )
    width = stream.shape[-1]
    normed, unit = functional.layer_norm(stream.float(), (width,)), functional.normalize(stream.float(), dim=-1)
    for wrong, changed in (
        ("layer-normed patches", normed),
        ("every patch scaled to norm 1", unit),
        ("every patch scaled to norm √d", unit * width**0.5),
    ):
        yield Guess(f"it expects {wrong}", "such SAEs cannot be served", measure(sae, changed).r2)


def _other_bias(sae: SaeCheckpoint, stream: Tensor) -> Guess:
    other = not sae.subtracts_b_dec
    wrong = "it expects inputs with b_dec subtracted" if other else "it expects inputs without b_dec subtracted"
    remedy = f"set `subtract_b_dec` to {str(other).lower()}"
    return Guess(wrong, remedy, measure(replace(sae, subtracts_b_dec=other), stream).r2)


def _scales(sae: SaeCheckpoint, stream: Tensor, scale: float, apart: float) -> Iterator[Guess]:
    root, norm = _rms(stream), float(stream.float().norm(dim=-1).mean())
    width = stream.shape[-1] ** 0.5
    for name, factor in (
        ("1/√E‖z‖²", 1 / root),
        ("√d/E‖z‖", width / norm),
        ("√E‖z‖² (a factor was folded in once too often)", root),
        ("E‖z‖/√d (a factor was folded in once too often)", norm / width),
    ):
        if max(factor, 1 / factor) < apart:
            continue
        yield Guess(
            f"it expects inputs scaled by {factor:.4g} ≈ {name}",
            f"set `input_scale` to {factor * scale:.4g}, or fold the factor of its training in",
            measure(sae.of_scaled(factor), stream).r2,
        )


def of_centred(sae: SaeCheckpoint, mean: Tensor) -> SaeCheckpoint:
    """An SAE of z − mean as one of z."""
    shift = 0 if sae.subtracts_b_dec else sae.encoder_weight @ mean
    return replace(sae, b_dec=sae.b_dec + mean, encoder_bias=sae.encoder_bias - shift)


def _rms(stream: Tensor) -> float:
    return float(torch.sqrt(stream.float().square().sum(-1).mean()))
