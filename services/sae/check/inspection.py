"""The check itself: figures at the claimed block, doubts, verdict."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.check.diagnosis import best, other_blocks, other_scales, other_streams
from services.sae.check.figures import Figures, joined, mean_norm, measure
from services.sae.encoder import ImageEncoder

logger = logging.getLogger(__name__)

# Neighbouring blocks are much alike: the microworld's SAE reaches .89 at its block and still .63 one block later. So a
# least R² alone does not find a block that is off by one; short of this figure the neighbours are asked as well.
_BEYOND_DOUBT = 0.9
_BETTER = 0.05  # R² by which another block or scale must do better to be believed
_APART = 2.0  # an SAE that reconstructs somewhat is not told of scales nearer to its own than this
Streams = Callable[[int], Iterator[tuple[int, Tensor]]]  # blocks 0 … n of the encoder, residuals [patches, d] of each


_UNKNOWN = (
    "R² is below {:g}, and no other block and no usual normalisation explains it; is it an SAE of this `model`? "
    "`check` = warn serves it all the same, `check_r2` asks for less"
)


class CheckError(CheckpointError):
    """The SAE does not reconstruct what it is set to read. The message says what is wrong, with the figures."""


@dataclass(frozen=True)
class Inspection:
    """What the check saw: the figures, E‖z‖ at the block, the number of images, and what is wrong ("" = nothing)."""

    figures: Figures
    mean_residual_norm: float
    images: int
    wrong: str

    @property
    def facts(self) -> dict[str, str]:
        """As facts of the served models."""
        return {
            "check": "failed" if self.wrong else "passed",
            "check_images": str(self.images),
            "check_r2": f"{self.figures.r2:.4f}",
            "check_l0": f"{self.figures.l0:.2f}",
            "check_alive": f"{self.figures.alive:.4f}",
        }


def inspect(
    sae: SaeCheckpoint,
    encoder: ImageEncoder,
    images: Sequence[bytes],
    *,
    least: float,
    scale: float,
    last: int,
    streams: Streams,
    verdict: Literal["refuse", "warn"],
) -> Inspection:
    """Check `sae` at the block of `encoder` on `images`; `streams` loads other blocks, up to `last`, if need be.

    Raises CheckError where it does not reconstruct and the verdict is `refuse`; `warn` logs the same message.
    """
    stream, block = joined(encoder.residuals(images)), encoder.subject.layer
    if not stream.isfinite().all():
        raise CheckError(
            f"the residual stream after block {block} overflows in {stream.dtype}: set `dtype` to bfloat16"
        )
    figures = measure(sae, stream)
    logger.info("SAE at block %d on %d images: %s", block, len(images), figures)
    said = f"the SAE does not fit block {block} ({figures} on {len(images)} images): "
    wrong = ""
    if figures.r2 < _BEYOND_DOUBT:
        lost = figures.r2 < least
        guesses = [*other_blocks(sae, streams(last if lost else min(block + 1, last)), block)]
        guesses += other_scales(sae, stream, scale, apart=1.0 if lost else _APART)
        guesses += other_streams(sae, stream) if lost else []
        found = best(guesses, max(least, figures.r2 + _BETTER))
        if found or lost:
            wrong = said + (str(found) if found else _UNKNOWN.format(least))
    if wrong and verdict == "refuse":
        raise CheckError(wrong)
    if wrong:
        logger.warning("%s", wrong)
    return Inspection(figures, mean_norm([stream]), len(images), wrong)
