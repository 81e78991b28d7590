"""How patient a deployment is: short leases for many schedules, the product's own for the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.settings import OrchestratorSettings

# A schedule may kill the worker of one item more often than three times: that is not the item's fault.
_PATIENT = {"max_attempts": 50}


@dataclass(frozen=True)
class Pace:
    """Settings of API and workers beside those that say where things are."""

    name: str
    changes: Mapping[str, float] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """As the processes read them."""
        return {f"STEERSCOPE_{name.upper()}": str(value) for name, value in (_PATIENT | dict(self.changes)).items()}

    @property
    def lease(self) -> float:
        """Seconds that a claim holds."""
        default: float = OrchestratorSettings.model_fields["lease_seconds"].default
        return self.changes.get("lease_seconds", default)


QUICK = Pace(
    "quick",
    {
        "lease_seconds": 2,
        "lease_renew_seconds": 0.4,
        "sweep_seconds": 0.5,
        "outbox_stale_seconds": 1.5,
        "drain_seconds": 1,
        "stage_timeout_seconds": 4,
        "stage_retry_seconds": 6,
    },
)
DEFAULT = Pace("default")
PACES = {pace.name: pace for pace in (QUICK, DEFAULT)}
