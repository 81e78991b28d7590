"""The explainer's turn: one row of `vlm.explain` per variant (METHOD §5)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.cleanup import clean
from orchestrator.pipeline.outcomes import Told, VariantOutcome
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.render import blank_image, heatmap, masked
from orchestrator.pipeline.target import Direction, Shot, Target, permuted_direction, random_direction
from orchestrator.pipeline.variants import VARIANTS, VariantKind
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

    def prepare(self) -> None:
        """Render what the plan's variants look at, once for all of them; before the threads."""
        for name in self._plan.variants:
            kind = VARIANTS.get(name)
            if kind is not None and kind.pictures != "blank":
                self._rendered(kind)

    def explain(self, variant: str) -> Told:
        """One explanation. Raises TransientError or CancelledItem; every other fault is its outcome."""
        if variant in self._given:
            return self._given_text(variant, self._given[variant])
        kind = VARIANTS[variant]
        if kind.pictures != "blank" and self._target.feature is None:
            return Told(variant, VariantOutcome.NO_FEATURE, "a raw direction has no top images")
        if kind.pictures != "blank" and not self._target.explain:
            return Told(variant, VariantOutcome.TOO_FEW_IMAGES, "no image of the explain set has S > 0")
        try:
            return self._told(variant, self._answer(self._row(kind)), self._note(kind))
        except Fault as error:
            return Told(variant, VariantOutcome.FAILED, str(error))

    def _row(self, kind: VariantKind) -> ExplainRow:
        settings = self._plan.informed if kind.informed else self._plan.steering
        steered = kind.direction != "none"
        active = steered and kind.informed and settings.positions == "active"
        return ExplainRow(
            prompt=self._plan.prompts.text(kind.prompt),
            images=self._pictures(kind),
            direction=self._direction(kind),
            alpha=settings.raw_alpha(self._plan.mean_residual_norm) if steered else None,
            mode=settings.mode if steered else None,
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
        look = plan.heatmap_strength, plan.heatmap_interpolation
        return tuple(to_ppm(heatmap(shot.pixels, shot.map, grid, *look)) for shot in self._target.explain)

    @cached_property
    def _active_positions(self) -> npt.NDArray[np.bool_]:
        return np.stack([shot.map > 0 for shot in self._target.explain])

    def _direction(self, kind: VariantKind) -> Direction | None:
        if kind.direction == "none":
            return None
        if kind.direction == "random":
            return random_direction(self._target, self._plan.seed)
        if kind.direction == "permuted":
            return permuted_direction(self._target, self._plan, self._calls)
        return self._target.direction

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
