"""What a tuning job gave: its results as the measures of a criterion, a strength and an α, and what is missing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.judge import Judge, tally
from orchestrator.analysis.statistics.measures import Measure, Pooled, Ratio
from orchestrator.analysis.table import AUROC_OF, References
from orchestrator.tuning.criteria import Criterion
from orchestrator.tuning.grid import Strength, variant_at
from protos.v1.results_pb2 import FeatureResult

Row = Mapping[str, Any]
FloatArray = npt.NDArray[np.float64]
# What one explanation gives to a figure: numerator and denominator [2] or activations [n]; or why it gives nothing.
Piece = FloatArray | str


@dataclass(frozen=True)
class Material:
    """The rows of a job by feature, variant and α, and what its criterion is counted against.

    `features` are all validation features; `unexplained` says how those without any row ended. `references` are the
    negatives of pooled AUROC; the judge knows the truth that recall and precision are counted against.
    """

    frame: pd.DataFrame
    features: tuple[int, ...]
    unexplained: Mapping[int, str]
    references: References
    judge: Judge | None

    @classmethod
    def of(cls, results: Sequence[FeatureResult], job: str, references: References, judge: Judge | None) -> "Material":
        """From the finished features of a job."""
        return cls(
            frame=to_frame(results, job),
            features=tuple(sorted(result.feature for result in results)),
            unexplained={result.feature: result.outcome for result in results if not result.variants},
            references=references,
            judge=judge,
        )

    def measure(self, strength: Strength, alpha: float, criterion: Criterion) -> tuple[Measure, dict[str, int]]:
        """The criterion at one α, over the features that have it for every variant of the strength; and how many have
        not, by the outcome of the first variant that lacks it. A feature counts in one of the two."""
        by_variant = [self._pieces(variant_at(variant, alpha), criterion) for variant in strength.variants]
        missing: Counter[str] = Counter()
        kept: dict[int, list[FloatArray]] = {}
        for feature in self.features:
            pieces = [of.get(feature, self.unexplained.get(feature, "absent")) for of in by_variant]
            gap = next((piece for piece in pieces if isinstance(piece, str)), None)
            if gap is not None:
                missing[gap] += 1
            else:
                kept[feature] = [piece for piece in pieces if not isinstance(piece, str)]
        return self._measure(kept, criterion), dict(sorted(missing.items()))

    def _measure(self, kept: Mapping[int, Sequence[FloatArray]], criterion: Criterion) -> Measure:
        features = np.array(list(kept), np.int64)
        if criterion.kind == "pooled":
            drawn = [np.concatenate(pieces) for pieces in kept.values()]
            return Pooled.count(features, drawn, [np.asarray(self.references[feature]) for feature in kept])
        sums = np.array([np.sum(pieces, axis=0) for pieces in kept.values()], np.float64).reshape(-1, 2)
        return Ratio(features, sums[:, 0], sums[:, 1])

    def _pieces(self, variant: str, criterion: Criterion) -> dict[int, Piece]:
        rows: list[Any] = self.frame[self.frame["variant"] == variant].to_dict(orient="records")
        read = {"mean": self._value, "pooled": self._activations, "judged": self._judged}[criterion.kind]
        return {int(row["feature"]): read(row, criterion) for row in rows}

    def _value(self, row: Row, criterion: Criterion) -> Piece:
        score = row[criterion.score or ""]
        return np.array([score, 1.0]) if pd.notna(score) else self._why(row, criterion)

    def _activations(self, row: Row, criterion: Criterion) -> Piece:
        drawn = row[AUROC_OF[criterion.score or ""]]
        if not isinstance(drawn, list) or not drawn:
            return self._why(row, criterion)
        negatives = self.references.get(row["feature"])
        return np.array(drawn, np.float64) if negatives is not None and negatives.size else "no_negatives"

    def _judged(self, row: Row, criterion: Criterion) -> Piece:
        if self.judge is None or row["feature"] not in self._interpretable:
            return "no_truth"
        found = tally(row["feature"], row["text"] or "", self.judge)
        counted = found.true if criterion.name == "recall" else found.named
        return np.array([found.hits, counted], np.float64) if counted else "names_nothing"

    @cached_property
    def _interpretable(self) -> frozenset[int]:
        return frozenset(self.judge.interpretable()) if self.judge else frozenset()

    @staticmethod
    def _why(row: Row, criterion: Criterion) -> str:
        outcome = row[f"{criterion.score}_outcome"]
        return outcome if isinstance(outcome, str) else "not_scored"
