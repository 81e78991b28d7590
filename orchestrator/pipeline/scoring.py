"""From evidence to scores, and to typed outcomes where evidence is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.evidence import Generated, Masks
from orchestrator.pipeline.gather import NEEDS, Embeddings, Pieces
from orchestrator.pipeline.outcomes import Scored, ScoreOutcome, Told, VariantOutcome
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.scores import auroc, cosine, iou
from orchestrator.remote import Fault


@dataclass(frozen=True)
class Scorer:
    """Scores the texts of one feature. `masks` are its own on the n test images, packed [n, 6272]; `negatives` are
    the scores S of the test set's reference sample [r]."""

    plan: ExplainPlan
    pieces: Pieces
    masks: npt.NDArray[np.uint8]
    negatives: npt.NDArray[np.float32]

    def score(self, name: str, told: Told) -> Scored:
        """One score (METHOD §6) of one explanation."""
        if not told.has_text:
            return without_text(told)
        need = NEEDS[name]
        if need.kind != "generated" and not len(self.masks):
            return Scored(ScoreOutcome.TOO_FEW_IMAGES, reason="no image of the test set has S > 0")
        match self.pieces.of(told.text, need):
            case Fault() as fault:
                return Scored(ScoreOutcome.FAILED, reason=str(fault))
            case Masks() as found:
                return self._iou(found)
            case Generated() as drawn:
                return self._auroc(drawn) if name.endswith("auroc") else _mean(drawn.activations)
            case embedding:
                return self._clip(embedding)

    def _iou(self, found: Masks) -> Scored:
        """Eq. 8: an image without a detection counts as 0."""
        parts = tuple(iou(found.packed, self.masks).tolist())
        missed = int((found.detections == 0).sum())
        notes = [self._note(), f"no detection in {missed} of {len(parts)} images" if missed else ""]
        outcome = ScoreOutcome.NO_DETECTION if missed == len(parts) else ScoreOutcome.OK
        return Scored(outcome, float(np.mean(parts)), "; ".join(filter(None, notes)), parts)

    def _clip(self, text: Embeddings) -> Scored:
        """Eq. 9."""
        images = self.pieces.images
        if isinstance(images, Fault):
            return Scored(ScoreOutcome.FAILED, reason=str(images))
        if not isinstance(images, np.ndarray):
            raise TypeError(f"embeddings of images expected, not {type(images).__name__}")
        return _mean(tuple(cosine(text, images).tolist()), self._note())

    def _auroc(self, drawn: Generated) -> Scored:
        if not self.negatives.size:
            return Scored(ScoreOutcome.NO_NEGATIVES, reason="the test index has no reference sample")
        return Scored(ScoreOutcome.OK, auroc(np.array(drawn.activations), self.negatives))

    def _note(self) -> str:
        shown, wanted = len(self.masks), self.plan.top_k
        return "" if shown == wanted else f"{shown} of {wanted} images have S > 0"


def without_text(told: Told) -> Scored:
    """The score of a variant that has no explanation."""
    same = {VariantOutcome.DEAD: ScoreOutcome.DEAD, VariantOutcome.NO_FEATURE: ScoreOutcome.NO_FEATURE}
    return Scored(same.get(told.outcome, ScoreOutcome.NO_TEXT), reason=f"the explanation is {told.outcome}")


def _mean(parts: tuple[float, ...], note: str = "") -> Scored:
    return Scored(ScoreOutcome.OK, float(np.mean(parts)), note, parts)
