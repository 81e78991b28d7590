"""`SimulatedModel`: a served model that takes its time and answers each row from its content."""

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from services.serving.model import Parameters, ServedModel
from services.serving.provenance import digest_text
from services.serving.spec import Result, Row
from tests.simulation.settings import SimulatedSettings

# What all simulated services tell of their subject: small numbers, the same for all.
LAYER, WIDTH, GRID = 2, 16, (4, 4)
PATCHES = GRID[0] * GRID[1]
SUBJECT = digest_text("simulated subject", str(LAYER), str(WIDTH))


class SimulatedModel(ServedModel[Row, Result]):
    """Latency is that of a device: it does not depend on how busy this machine's cores are."""

    def __init__(self, settings: SimulatedSettings, facts: Mapping[str, str] | None = None, *identity: str) -> None:
        self.facts = facts or {}
        self.version = digest_text("simulated", self.spec.name, *identity)
        self._latency = settings.latency_ms / 1e3
        self._row_latency = settings.row_latency_ms / 1e3

    @abstractmethod
    def answer(self, row: Row, parameters: Parameters) -> Result:
        """The answer to one row. Raises InvalidInputError for a row that the real model refuses."""

    def run(self, rows: Sequence[Row], parameters: Parameters) -> list[Result]:
        ready_at = time.monotonic() + self._latency + self._row_latency * len(rows)
        answers = [self.answer(row, parameters) for row in rows]
        time.sleep(max(0.0, ready_at - time.monotonic()))
        return answers
