"""For all tests: the torchvision shim, which must precede the first import of torchvision, and the five services."""

import os
from collections.abc import Iterator

import pytest

# Before torch is imported: more threads than cores make the suites ten times slower (ENVIRONMENT).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import services  # noqa: F401
from tests.services import SERVICES, START_SECONDS, ServiceProcess, start_all, stop_all


@pytest.fixture(scope="session")
def model_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServiceProcess]]:
    """The five services on the microworld, one process each on free ports, started once per session.

    A service that does not start fails the tests that ask for it, with the end of its log.
    """
    environment = {f"STEERSCOPE_{name.upper()}_DRAIN_WAIT_SECONDS": "0" for name in SERVICES}
    running = start_all(tmp_path_factory.mktemp("services"), environment)
    yield running
    stop_all(running)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that asks for the services waits for their start: it gets that much more time.

    In several processes (pytest-xdist, `--dist loadgroup`) one of them runs all that ask for the services, which then
    start once; other tests go by the file.
    """
    for item in items:
        served = "model_services" in getattr(item, "fixturenames", ())
        if served:
            item.add_marker(pytest.mark.timeout(START_SECONDS + 300))
        item.add_marker(pytest.mark.xdist_group("services" if served else str(item.path)))
