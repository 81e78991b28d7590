"""The pick: the α with the highest mean, and what speaks against trusting it."""

from dataclasses import dataclass

from orchestrator.analysis.statistics.measures import difference
from orchestrator.tuning.curve import Curve, Point
from orchestrator.tuning.errors import TuningError

_FEW = 30  # features, below which an interval says little
_DIGITS = 12  # means closer than this are equal: sums differ in their last bits


@dataclass(frozen=True)
class Pick:
    """A curve with the α that was chosen from it; `notes` are one sentence each."""

    curve: Curve
    point: Point
    notes: tuple[str, ...]

    @property
    def alpha(self) -> float:
        return self.point.alpha

    @property
    def name(self) -> str:
        """The strength: `steering` or `informed`."""
        return self.curve.strength.name


def choose(curve: Curve) -> Pick:
    """The α with the highest value, the smaller one of equals, among those that most features have a value for.

    An α that leaves fewer than half as many features with a value as another does is not considered: its mean is
    that of the few features that bore it. Raises TuningError if no α has a value.
    """
    most = max(point.features for point in curve.points)
    if not most:
        raise TuningError(f"{curve.strength.name}: no feature has {curve.criterion.name} at any alpha ({_why(curve)})")
    considered = [point for point in curve.points if 2 * point.features >= most]
    best = max(considered, key=lambda point: (round(point.value, _DIGITS), -point.alpha))
    return Pick(curve, best, tuple(_notes(curve, best, considered)))


def _why(curve: Curve) -> str:
    return ", ".join(sorted({outcome for point in curve.points for outcome in point.missing})) or "no features"


def _notes(curve: Curve, best: Point, considered: list[Point]) -> list[str]:
    notes = [
        f"α {point.alpha:g} is not considered: only {point.features} of {point.asked} features have a value"
        for point in curve.points
        if point not in considered
    ]
    return [*notes, *_border(curve, best), *_flat(curve, best), *_few(best)]


def _border(curve: Curve, best: Point) -> list[str]:
    ends = {curve.points[0].alpha: ("smallest", "below"), curve.points[-1].alpha: ("largest", "above")}
    if best.alpha not in ends or best.alpha == 0:
        return ["α 0 is no steering: nothing on the grid beats it"] if best.alpha == 0 else []
    end, side = ends[best.alpha]
    return [f"α {best.alpha:g} is the {end} of the grid: the best may lie {side} it, widen --alphas"]


def _flat(curve: Curve, best: Point) -> list[str]:
    """Paired bootstrap of the pick against every other α; flat if it is no better than its neighbours."""
    place = curve.points.index(best)
    level = [
        index
        for index, measure in enumerate(curve.measures)
        if index != place and len(measure.features) and _level(difference(curve.measures[place], measure))
    ]
    beside = [index for index in (place - 1, place + 1) if 0 <= index < len(curve.points)]
    if not level or not set(beside) <= set(level):
        return []
    if len(level) == len(curve.points) - 1:
        return ["the curve is flat: every α does as well as the pick, within 95 % paired intervals"]
    others = ", ".join(f"{curve.points[index].alpha:g}" for index in level)
    return [f"the curve is flat around the pick: α {others} do as well, within 95 % paired intervals"]


def _level(bounds: tuple[float, float]) -> bool:
    low, high = bounds
    return low <= 0 <= high


def _few(best: Point) -> list[str]:
    if best.features < _FEW:
        return [f"only {best.features} features have a value at the pick: too few to trust it"]
    if 2 * best.features < best.asked:
        return [f"only {best.features} of {best.asked} features have a value at the pick"]
    return []
