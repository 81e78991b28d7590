"""All evidence that a feature's scores need: each piece once, in parallel, a fault in the place of its piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.evidence import Evidence, Generated, Masks
from orchestrator.pipeline.parallel import Clock, in_parallel
from orchestrator.remote import Fault

Kind = Literal["generated", "masks", "text", "images"]
Embeddings = npt.NDArray[np.float32]
Piece = Generated | Masks | Embeddings | Fault
STAGES = ("generate", "activate", "segment", "embed")


@dataclass(frozen=True)
class Need:
    """A kind of evidence, and the judge that gives it: the learned models or those that know the truth."""

    kind: Kind
    judge: str = "learned"


NEEDS = {
    "iou": Need("masks"),
    "clip": Need("text"),
    "synthetic_activation": Need("generated"),
    "auroc": Need("generated"),
    "oracle_iou": Need("masks", "oracle"),
    "oracle_auroc": Need("generated", "oracle"),
}
_IMAGES = ("", Need("images"))


@dataclass(frozen=True)
class Pieces:
    """Evidence by text and need."""

    found: Mapping[tuple[str, Need], Piece]

    def of(self, text: str, need: Need) -> Piece:
        """The piece, or the Fault in its place."""
        return self.found[text, need]

    @property
    def images(self) -> Piece:
        """Embeddings of the masked test images [n, e]."""
        return self.found[_IMAGES]

    def generated(self, text: str) -> dict[str, Generated]:
        """The images drawn of a text, by judge."""
        return {
            need.judge: piece for (of, need), piece in self.found.items() if of == text and isinstance(piece, Generated)
        }


def gather(scores: Sequence[str], texts: Sequence[str], has_images: bool, evidence: Evidence, clock: Clock) -> Pieces:
    """All that `scores` need on `texts`; without test images nothing about them.

    Raises TransientError or CancelledItem, after all pieces ended.
    """
    needs = [need for need in dict.fromkeys(NEEDS[score] for score in scores) if has_images or need.kind == "generated"]
    wanted = [(text, need) for need in needs for text in texts]
    if texts and NEEDS["clip"] in needs:
        wanted.insert(0, _IMAGES)
    tasks = {key: _task(*key, evidence, clock) for key in wanted}
    return Pieces(in_parallel(tasks))


def _task(text: str, need: Need, evidence: Evidence, clock: Clock) -> Callable[[], Piece]:
    makers: dict[Kind, Callable[[], Piece]] = {
        "generated": lambda: _generate(text, need.judge, evidence, clock),
        "masks": lambda: clock.timed("segment", lambda: evidence.segment(text, need.judge)),
        "text": lambda: clock.timed("embed", lambda: evidence.embed_text(text)),
        "images": lambda: clock.timed("embed", evidence.embed_images),
    }

    def make() -> Piece:
        try:
            return makers[need.kind]()
        except Fault as fault:
            return fault

    return make


def _generate(text: str, judge: str, evidence: Evidence, clock: Clock) -> Generated:
    artifacts, seeds = clock.timed("generate", lambda: evidence.draw(text, judge))
    return Generated(artifacts, seeds, clock.timed("activate", lambda: evidence.activations(artifacts)))
