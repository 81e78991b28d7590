"""The cards, as `nvidia-smi` tells them: the orchestrator has no torch to ask."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_FIELDS = "name,memory.total,memory.used,driver_version"
_TIMEOUT = 20


@dataclass(frozen=True)
class Gpu:
    """One card; memory in GiB."""

    number: int
    name: str
    memory: float
    used: float
    driver: str


def query_gpus() -> Sequence[Gpu]:
    """The cards in the driver's order; none where there is no `nvidia-smi`, or it fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse(done.stdout)


def parse(table: str) -> Sequence[Gpu]:
    """Lines of `name, MiB, MiB, driver`; a value that the card does not tell counts as 0."""
    rows = [[cell.strip() for cell in line.split(",")] for line in table.splitlines() if line.strip()]
    return [
        Gpu(number, name, _mebibytes(total) / 1024, _mebibytes(used) / 1024, driver)
        for number, (name, total, used, driver) in enumerate(rows)
    ]


def _mebibytes(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:  # "[N/A]"
        return 0.0
