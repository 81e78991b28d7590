from collections.abc import Iterator

import pytest

from tests.e2e.deployment import Deployment, deployed
from tests.e2e.host import Host, MissingError


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """Everything in containers; skipped with the reason where that cannot be."""
    try:
        host = Host.prepare()
    except MissingError as error:
        pytest.skip(str(error))
    with deployed(host) as running:
        yield running
