"""A few hundred schedules; `make chaos-machine EXAMPLES=10000` runs as many as you like."""

import pytest

from tests.chaos.machine.schedule import run_schedules
from tests.chaos.machine.simulation import Simulation

EXAMPLES = 200


@pytest.mark.timeout(600)
def test_no_schedule_loses_or_doubles_anything():
    counts = run_schedules(Simulation(), EXAMPLES, seed=0)
    assert counts["schedules"] >= EXAMPLES
