"""The explainer's turn: one row of `vlm.explain` per variant (METHOD §5)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.cleanup import clean
from orchestrator.pipeline.directions import NoDirectionError, direction_of
from orchestrator.pipeline.outcomes import Told, VariantOutcome
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.render import blank_image, heatmap, masked
from orchestrator.pipeline.target import Shot, Target
from orchestrator.pipeline.variants import Variant, VariantKind
from orchestrator.remote import Calls, Fault
from orchestrator.store import JSON, StageCache
from services.serving.images import to_ppm
from services.vlm.spec import EXPLAIN, ExplainRow


class Explainer:
    """Makes the explanations of one target; `given` maps variants to texts that only need scoring (None: missing)."""

    def __init__(
        self, plan: ExplainPlan, target: Target, given: Mapping[str, str | None], calls: Calls, cache: StageCache
    ) -> None:
        self._plan, self._target, self._given, self._calls, self._cache = plan, target, given, calls, cache
        self._made = plan.made()

    def prepare(self) -> None:
        """Render what the plan's variants look at, once for all of them; before the threads."""
        for variant in self._made.values():
            if variant.kind.pictures != "blank":
                self._rendered(variant.kind)

    def explain(self, variant: str) -> Told:
        """One explanation. Raises TransientError or CancelledItem; every other fault is its outcome."""
        if variant in self._given:
            return self._given_text(variant, self._given[variant])
        told = self._explained(variant, self._made[variant])
        missing = told.outcome in (VariantOutcome.EMPTY, VariantOutcome.TOO_FEW_IMAGES)
        return self._filled(told) if missing and self._plan.filler else told

    def _explained(self, name: str, variant: Variant) -> Told:
        kind = variant.kind
        if kind.pictures != "blank" and self._target.feature is None:
            return Told(name, VariantOutcome.NO_FEATURE, "a raw direction has no top images")
        if kind.pictures != "blank" and not self._target.explain:
            return Told(name, VariantOutcome.TOO_FEW_IMAGES, "no image of the explain set has S > 0")
        try:
            return self._told(name, self._answer(self._row(variant)), self._note(kind))
        except NoDirectionError as error:
            return Told(name, error.outcome, str(error))
        except Fault as error:
            return Told(name, VariantOutcome.FAILED, str(error))

    def _filled(self, told: Told) -> Told:
        """The filler in place of a missing explanation, marked as such; the reason keeps what was missing."""
        why = f"{told.outcome} ({told.reason})" if told.reason else str(told.outcome)
        reason = f"{self._plan.filler!r} stands for a missing explanation: {why}"
        return replace(told, outcome=VariantOutcome.REPLACED, reason=reason, text=self._plan.filler)

    def _row(self, variant: Variant) -> ExplainRow:
        kind = variant.kind
        settings = self._plan.informed if kind.informed else self._plan.steering
        active = kind.informed and settings.positions == "active"
        return ExplainRow(
            prompt=self._plan.prompts.text(kind.prompt),
            images=self._pictures(kind),
            direction=direction_of(kind.direction, self._target, self._plan, self._calls),
            alpha=settings.raw_alpha(self._plan.mean_residual_norm, variant.alpha) if kind.steered else None,
            mode=settings.mode if kind.steered else None,
            positions=self._active_positions if active else None,
        )

    def _pictures(self, kind: VariantKind) -> tuple[bytes, ...]:
        if kind.pictures == "blank":
            return (blank_image(self._plan.steering.blank, self._plan.seed),)
        return self._rendered(kind)

    def _rendered(self, kind: VariantKind) -> tuple[bytes, ...]:
        return self._masked if kind.pictures == "masks" else self._heated

    @cached_property
    def _masked(self) -> tuple[bytes, ...]:
        return tuple(masked_image(shot, self._plan) for shot in self._target.explain)

    @cached_property
    def _heated(self) -> tuple[bytes, ...]:
        plan, grid = self._plan, self._plan.patch_grid
        look = plan.heatmap_strength, plan.heatmap_interpolation, plan.heatmap_tint
        return tuple(to_ppm(heatmap(shot.pixels, shot.map, grid, *look)) for shot in self._target.explain)

    @cached_property
    def _active_positions(self) -> npt.NDArray[np.bool_]:
        active = np.stack([shot.map > 0 for shot in self._target.explain])
        if not self._plan.cls_off_by_one:
            return active
        late = np.zeros_like(active)  # patch p is token p + 1: the mask read as tokens steers what lies before
        late[:, :-1] = active[:, 1:]
        return late

    def _answer(self, row: ExplainRow) -> Mapping[str, Any]:
        """The model's answer, looked up by everything that it depends on."""
        parameters = {"max_new_tokens": self._plan.max_new_tokens}

        def ask() -> dict[str, Any]:
            (told,) = self._calls.infer("vlm", EXPLAIN, [row], parameters)
            logprob = told.logprob if math.isfinite(told.logprob) else None
            return {"text": told.text, "tokens": told.tokens, "logprob": logprob, "truncated": told.truncated}

        inputs = {
            "vlm.explain": self._plan.models["vlm.explain"],
            "prompt": row.prompt,
            "images": [_sha256(image) for image in row.images],
            "direction": None if row.direction is None else _sha256(row.direction.tobytes()),
            "alpha": row.alpha,
            "mode": row.mode,
            "positions": None if row.positions is None else _sha256(np.packbits(row.positions).tobytes()),
            **parameters,
        }
        answer: Mapping[str, Any] = self._cache.cached("explain", inputs, JSON, ask)
        return answer

    def _told(self, variant: str, answer: Mapping[str, Any], note: str) -> Told:
        text = clean(answer["text"])
        return Told(
            variant,
            VariantOutcome.OK if text else VariantOutcome.EMPTY,
            note,
            text,
            answer["text"],
            answer["tokens"],
            answer["logprob"],
            answer["truncated"],
        )

    def _note(self, kind: VariantKind) -> str:
        shown = len(self._target.explain)
        if kind.pictures == "blank" or shown == self._plan.top_k:
            return ""
        return f"{shown} of {self._plan.top_k} images have S > 0"

    def _given_text(self, variant: str, text: str | None) -> Told:
        if text is None:
            return Told(variant, VariantOutcome.NOT_GIVEN, "the job's texts have none for this feature")
        kept = text.strip()
        return Told(variant, VariantOutcome.OK if kept else VariantOutcome.EMPTY, "", kept, text)


def masked_image(shot: Shot, plan: ExplainPlan) -> bytes:
    """The image seen through the feature's mask, as PPM (METHOD §4)."""
    return to_ppm(masked(shot.pixels, shot.map, plan.patch_grid))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
