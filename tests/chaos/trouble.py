"""Trouble that a running service is told to make, through a small file: a storm of a status, or late answers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.serving.errors import OverloadedError, ServingError, UnavailableError
from services.serving.model import Parameters, ServedModel

_STATUSES: Mapping[str, type[ServingError]] = {"UNAVAILABLE": UnavailableError, "RESOURCE_EXHAUSTED": OverloadedError}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong until a moment of the machine's monotonic clock."""

    until: float
    status: str = ""  # every batch ends with it
    delay: float = 0.0  # or takes that many seconds longer

    def tell(self, file: Path) -> None:
        """Write it where the service looks; whoever reads sees all of it or nothing."""
        temporary = file.with_name(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(file)

    @staticmethod
    def read(file: Path) -> Trouble | None:
        """The trouble of now, or None."""
        try:
            found = Trouble(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        return found if time.monotonic() < found.until else None

    def strike(self) -> None:
        """Make it. Raises the ServingError of a storm."""
        if self.status:
            raise _STATUSES[self.status]("a fault that the chaos suite injects")
        time.sleep(self.delay)


def troubled(model: ServedModel[Any, Any], file: Path) -> ServedModel[Any, Any]:
    """The model, which looks for trouble before every batch."""
    run = model.run

    def run_or_fail(rows: Sequence[Any], parameters: Parameters) -> Sequence[Any]:
        trouble = Trouble.read(file)
        if trouble is not None:
            trouble.strike()
        return run(rows, parameters)

    model.run = run_or_fail  # type: ignore[method-assign]  # every simulated model, whatever its class
    return model
