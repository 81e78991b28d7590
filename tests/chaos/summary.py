"""What many schedules came to: a table for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.table import Table

from tests.chaos.runner import Outcome
from tests.chaos.schedule import Kind

_WORDS = ("lost", "doubled", "differs")  # how the findings begin that are counted apart


def summarize(outcomes: Sequence[Outcome], pace: str, seconds: float) -> dict[str, Any]:
    """Everything that is told of a run."""
    struck = [one for outcome in outcomes for one in outcome.struck]
    found = [finding for outcome in outcomes for finding in outcome.findings]
    words = Counter(finding.partition(":")[0] for finding in found)
    return {
        "schedules": len(outcomes),
        "failed": sorted(outcome.schedule.seed for outcome in outcomes if outcome.findings),
        "features": sum(len(outcome.schedule.features) for outcome in outcomes),
        "leases": pace,
        "seconds": round(seconds, 1),
        "seconds_per_schedule": _spread([outcome.seconds for outcome in outcomes]),
        "faults": {kind: sum(one.at > 0 and one.fault.kind is kind for one in struck) for kind in Kind},
        "faults_that_missed": sum(one.at == 0 for one in struck),
        **{word: words[word] for word in _WORDS},
        "other_findings": sum(count for word, count in words.items() if word not in _WORDS),
        "silent_workers": sum(outcome.silent_workers for outcome in outcomes),
        "recovery_after_worker_kill": _spread([s for one in outcomes for s in one.worker_recoveries]),
        "recovery_after_redis": _spread([s for one in outcomes for s in one.redis_recoveries]),
        "findings": [record(outcome) for outcome in outcomes if outcome.findings],
    }


def record(outcome: Outcome) -> dict[str, Any]:
    """A schedule with all that is needed to understand it."""
    return {
        "schedule": asdict(outcome.schedule),
        "struck": [{"fault": str(one.fault), "at": one.at, "note": one.note} for one in outcome.struck],
        "findings": outcome.findings,
        "seconds": outcome.seconds,
    }


def table(summary: Mapping[str, Any]) -> Table:
    """The summary for the terminal."""
    result = Table("chaos", "", show_header=False)
    result.add_row(
        "schedules", f"{summary['schedules']} with {summary['features']} features, {summary['leases']} leases"
    )
    result.add_row("time", f"{summary['seconds']:.0f} s, per schedule {_told(summary['seconds_per_schedule'])}")
    faults = ", ".join(f"{count} {kind}" for kind, count in summary["faults"].items() if count)
    result.add_row("faults", f"{sum(summary['faults'].values())}: {faults}")
    result.add_row("faults that missed (job over, queue empty, Redis away)", str(summary["faults_that_missed"]))
    for word in (*_WORDS, "other_findings"):
        result.add_row(word.replace("_", " "), str(summary[word]))
    result.add_row("workers that fell silent", str(summary["silent_workers"]))
    result.add_row("worker killed → items run again", _told(summary["recovery_after_worker_kill"]))
    result.add_row("Redis back → the job goes on", _told(summary["recovery_after_redis"]))
    result.add_row("failed seeds", ", ".join(map(str, summary["failed"])) or "none")
    return result


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"count": 0}
    p50, p99 = np.percentile(seconds, [50, 99])
    return {"count": len(seconds), "p50": round(p50, 2), "p99": round(p99, 2), "max": round(max(seconds), 2)}


def _told(spread: Mapping[str, float]) -> str:
    if not spread["count"]:
        return "–"
    return f"p50 {spread['p50']:.2f} s, p99 {spread['p99']:.2f} s, max {spread['max']:.2f} s (n = {spread['count']})"
