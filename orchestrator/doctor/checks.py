"""The checks, in the order of their findings."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from orchestrator.doctor.accelerators import check_card_memory, check_gpus, check_torch
from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding
from orchestrator.doctor.images import check_images
from orchestrator.doctor.machine import check_cores, check_disk, check_memory, check_python
from orchestrator.doctor.packages import check_packages
from orchestrator.doctor.running import check_redis, check_stack
from orchestrator.doctor.sae_run import check_sae_run
from orchestrator.doctor.weights import check_weights

Check = Callable[[Context], Iterable[Finding]]

CHECKS: Sequence[Check] = (
    check_python,
    check_cores,
    check_memory,
    check_disk,
    check_gpus,
    check_torch,
    check_packages,
    check_weights,
    check_sae_run,
    check_card_memory,
    check_redis,
    check_stack,
    check_images,
)


def examine(context: Context) -> Iterator[Finding]:
    """The findings of all checks, as they come."""
    for check in CHECKS:
        yield from check(context)
