"""What a row costs on this installation: from what the replicas of the served models have done since they started,
and, where they have done nothing yet, from the last figures that an estimate saw of the same version.

The replicas are the truth; the artifact store keeps a copy per model version (`rates/…`), since replicas forget it when
they start anew. Only work counts: a cached stage asks no service and cheapens no rate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from orchestrator.remote import Replica
from orchestrator.store import ArtifactNotFoundError, ArtifactStore

_LEAST_ROWS = 1


@dataclass(frozen=True)
class Rate:
    """Sums over all replicas; seconds of compute are summed over batches, of waiting over requests."""

    model: str
    version: str
    requests: int = 0
    rows: int = 0
    batches: int = 0
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0
    replicas: int = 0  # ready ones, now

    @property
    def measured(self) -> bool:
        return self.rows >= _LEAST_ROWS and self.batches > 0

    @property
    def seconds_per_row(self) -> float:
        """Device seconds, at the batch sizes that came about."""
        return self.compute_seconds / self.rows

    @property
    def mean_batch(self) -> float:
        return self.rows / self.batches

    @property
    def call_seconds(self) -> float:
        """From a request to its answer: the wait in the queue and one batch."""
        return self.queue_seconds / max(1, self.requests) + self.compute_seconds / self.batches


def measure(replicas: Sequence[Replica], versions: Mapping[str, str], store: ArtifactStore) -> dict[str, Rate]:
    """A rate of every served model (`service.model` → version), measured or not."""
    found: dict[str, Rate] = {}
    for model, version in versions.items():
        service, _, name = model.partition(".")
        ready = [one for one in replicas if one.service == service and one.state == "ready"]
        rate = Rate(model, version, replicas=len(ready))
        for load in (load for one in ready for load in one.models if load.name == name):
            rate = replace(
                rate,
                requests=rate.requests + load.requests,
                rows=rate.rows + load.rows,
                batches=rate.batches + load.batches,
                queue_seconds=rate.queue_seconds + load.queue_seconds,
                compute_seconds=rate.compute_seconds + load.compute_seconds,
            )
        found[model] = _remembered(rate, store)
    return found


def _remembered(rate: Rate, store: ArtifactStore) -> Rate:
    """What is measured now, which is then kept; else what was kept."""
    name = f"rates/{rate.model}/{rate.version}"
    kept = _kept(store, name)
    if not rate.measured:
        return replace(kept, replicas=rate.replicas) if kept else rate
    if rate != kept:
        store.point(name, json.dumps(asdict(rate), sort_keys=True).encode())
    return rate


def _kept(store: ArtifactStore, name: str) -> Rate | None:
    try:
        return Rate(**json.loads(store.get(name)))
    except (ArtifactNotFoundError, TypeError, ValueError):
        return None  # nothing, or of another release
