"""The stack that the integration tests share."""

import pytest

from tests.integration.stack import running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory, model_services):
    with running_stack(tmp_path_factory.mktemp("stack"), model_services) as running:
        yield running
