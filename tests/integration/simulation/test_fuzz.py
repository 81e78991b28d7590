"""A few hundred mutated messages to every simulated service and to the Jobs API (`make fuzz` sends 100,000)."""

from random import Random

import pytest

from tests.load.fuzz.command import fuzz_api, fuzz_service, stop_workers
from tests.services import SERVICES
from tests.simulation.deployment import deployment

pytestmark = pytest.mark.integration
MESSAGES = 400


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gives_clean_answers_to_whatever_comes(simulated, service):
    found = fuzz_service(service, simulated[service], Random(1), MESSAGES)
    assert not found.bad, found.bad[:5]
    assert sum(found.statuses.values()) == MESSAGES and found.statuses["INVALID_ARGUMENT"] > MESSAGES / 4


def test_the_jobs_api_gives_clean_answers_to_whatever_comes(tmp_path):
    with deployment(tmp_path) as running:
        stop_workers(running)
        found = fuzz_api(running, Random(1), MESSAGES)
    assert not found.bad, found.bad[:5]
    assert sum(found.statuses.values()) == MESSAGES and found.statuses["INVALID_ARGUMENT"] > MESSAGES / 4
