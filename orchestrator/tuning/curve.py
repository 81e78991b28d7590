"""The curve: a criterion over a grid of α, with intervals and with what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.analysis.statistics.measures import Measure, interval, value
from orchestrator.tuning.criteria import Criterion
from orchestrator.tuning.grid import Strength
from orchestrator.tuning.material import Material


@dataclass(frozen=True)
class Point:
    """One α: the criterion with its 95 % bootstrap interval over `features` features (NaN without any), and how many
    validation features have no value, by outcome."""

    alpha: float
    value: float
    low: float
    high: float
    features: int
    missing: Mapping[str, int]

    @property
    def asked(self) -> int:
        """All validation features."""
        return self.features + sum(self.missing.values())


@dataclass(frozen=True)
class Curve:
    """The points of one strength, α rising, and the measures that they come from."""

    strength: Strength
    criterion: Criterion
    points: tuple[Point, ...]
    measures: tuple[Measure, ...]


def curve(material: Material, strength: Strength, criterion: Criterion) -> Curve:
    """Take the criterion at every α of the grid."""
    points, measures = [], []
    for alpha in strength.alphas:
        measure, missing = material.measure(strength, alpha, criterion)
        low, high = interval(measure)
        points.append(Point(alpha, value(measure), low, high, len(measure.features), missing))
        measures.append(measure)
    return Curve(strength, criterion, tuple(points), tuple(measures))
