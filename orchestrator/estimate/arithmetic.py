"""From what is asked and what it costs to seconds: plain arithmetic, without looking at anything.

A closed loop of C items at once (workers' threads) over F items, each of which takes T seconds from claim to commit,
ends after F·T/C seconds, but not before T (Little's law). No service answers more rows than its replicas can: a model
that computes B seconds in all takes B/replicas at least. What is likely is the larger of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.estimate.rates import Rate
from orchestrator.estimate.tally import Asked

POOL = 8  # threads of a feature (`orchestrator.pipeline.parallel`)


@dataclass(frozen=True)
class Range:
    """Three values of one thing."""

    low: float
    likely: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Range:
        return cls(value, value, value)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)


@dataclass(frozen=True)
class Need:
    """Of one model, over all items of the job."""

    model: str
    calls: Range
    rows: Range
    cached_share: float


def needs(asked: Mapping[str, Asked], scale: float, distinct: Range) -> dict[str, Need]:
    """What the job needs: the rehearsed features stand for all (`scale` = items of the job / rehearsed ones).

    `distinct`: the share of unknown texts that will differ from one another; rows that hang on them shrink by it.
    """
    found = {}
    for model, one in asked.items():
        calls = Range.exactly(one.calls - one.guessed_calls) + distinct * one.guessed_calls
        rows = Range.exactly(one.rows - one.guessed) + distinct * one.guessed
        found[model] = Need(model, calls * scale, rows * scale, one.cached_share)
    return found


def distinct_range(texts_per_feature: float, measured: float | None) -> Range:
    """Unknown texts: all alike at best, all different at worst; in between what finished jobs showed."""
    low = min(1.0, 1 / texts_per_feature) if texts_per_feature > 0 else 1.0
    return Range(low, 1.0 if measured is None else max(low, measured), 1.0)


def item_seconds(needs: Mapping[str, Need], rates: Mapping[str, Rate], items: float, worker: float) -> Range:
    """T: the worker's own seconds, then its calls one stage after another; those of a stage at most `POOL` at once.

    Segmenting and embedding go on beside generating and activating: the longer of the two counts, but all share
    the pool.
    """

    def seconds_of(pick: str, *models: str) -> tuple[float, float]:
        """Of one feature's calls to these models: the longest alone, and all after one another."""
        numbers = {name: float(getattr(needs[name].calls, pick)) / items for name in models if name in needs}
        alone = max((min(1.0, number) * rates[name].call_seconds for name, number in numbers.items()), default=0.0)
        return alone, sum(number * rates[name].call_seconds for name, number in numbers.items())

    def one(pick: str) -> float:
        _, first = seconds_of(pick, "sae.features")
        told, all_told = seconds_of(pick, "vlm.explain")
        drawn, all_drawn = seconds_of(pick, "generator.generate", "oracle_generator.generate")
        mapped, all_mapped = seconds_of(pick, "sae.maps")
        beside, all_beside = seconds_of(
            pick, "segmenter.segment", "oracle_segmenter.segment", "clip.text", "clip.image"
        )
        evidence = max(drawn + mapped, beside, (all_drawn + all_mapped + all_beside) / POOL)
        return worker + first + max(told, all_told / POOL) + evidence

    return Range(one("low"), one("likely"), one("high"))


def busy_seconds(needs: Mapping[str, Need], rates: Mapping[str, Rate]) -> dict[str, Range]:
    """Device seconds of every model, summed over its replicas."""
    return {model: need.rows * rates[model].seconds_per_row for model, need in needs.items()}


def by_service(busy: Mapping[str, Range], rates: Mapping[str, Rate]) -> list[Range]:
    """How long every service computes at least: its models share its replicas."""
    sums: dict[str, Range] = {}
    for model, seconds in busy.items():
        service = model.partition(".")[0]
        share = seconds * (1 / max(1, rates[model].replicas))
        sums[service] = sums.get(service, Range.exactly(0.0)) + share
    return list(sums.values())


def wall_seconds(item: Range, items: float, threads: int, services: Sequence[Range]) -> Range:
    """The job's time. Low: its slowest service alone; high: nothing overlaps that could."""
    rounds = max(1.0, items / threads)
    slowest = max((one.likely for one in services), default=0.0)
    likely = max(item.likely * rounds, slowest)
    low = min(likely, max(max((one.low for one in services), default=0.0), item.low))
    high = max(likely, item.high * (rounds + 1), sum(one.high for one in services) + item.high)
    return Range(low, likely, high)
