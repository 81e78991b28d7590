"""Simulated services, one of each, and a deployment on them."""

import pytest

from tests.conformance.conftest import Stock
from tests.services import SERVICES
from tests.simulation.processes import running_services


@pytest.fixture(scope="package")
def simulated(tmp_path_factory):
    """Service name → its address."""
    with running_services(tmp_path_factory.mktemp("simulated"), SERVICES) as addresses:
        yield addresses


@pytest.fixture(scope="package")
def stock(simulated):
    """As the conformance suite's, of simulated services."""
    clients = {name: Stock(address) for name, address in simulated.items()}
    yield clients
    for one in clients.values():
        one.client.close()
