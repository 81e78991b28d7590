"""`python -m tests.chaos.service FILE vlm --port 8001`: a simulated service that makes the trouble FILE tells of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.serving.model import ServedModel
from tests.chaos.trouble import troubled
from tests.simulation import service
from tests.simulation.settings import SimulatedSettings

Load = Callable[[SimulatedSettings], Sequence[ServedModel[Any, Any]]]


def _with_trouble(load: Load, file: Path) -> Load:
    return lambda settings: [troubled(model, file) for model in load(settings)]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    service.LOADERS.update({name: _with_trouble(load, place) for name, load in service.LOADERS.items()})
    raise SystemExit(service.main(sys.argv[2:]))
