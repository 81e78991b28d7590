"""For all tests: the torchvision shim, which must precede the first import of torchvision, and the five services."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

# Before torch is imported: more threads than cores make the suites ten times slower (ENVIRONMENT).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import services  # noqa: F401
from tests.services import SERVICES, START_SECONDS, ServiceProcess, start_all, stop_all

# Tests on the five services.
_SERVED = (
    "tests/conformance/",
    "tests/integration/test_label_and_search.py",
    "tests/integration/test_main_job.py",
    "tests/integration/test_observed_stack.py",
    "tests/integration/test_studies.py",
    "tests/integration/test_tune.py",
    "tests/integration/test_tutorial.py",
)


@pytest.fixture(scope="session")
def model_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServiceProcess]]:
    """The five services on the microworld, one process each on free ports, started once per session.

    A service that does not start fails the tests that ask for it, with the end of its log.
    """
    environment = {f"STEERSCOPE_{name.upper()}_DRAIN_WAIT_SECONDS": "0" for name in SERVICES}
    running = start_all(tmp_path_factory.mktemp("services"), environment)
    yield running
    stop_all(running)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that asks for the services waits for their start: it gets that much more time."""
    for item in items:
        if "model_services" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(START_SECONDS + 300))
            assert item.nodeid.startswith(_SERVED), f"{item.nodeid}: name its file in _SERVED of tests/conftest.py"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of several processes one runs all that ask for the services, which then start once; the others go by the file.

    The marker that xdist has for this (`xdist_group`) does nothing under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByServices(LoadScopeScheduling):  # type: ignore[misc]  # untyped
        def _split_scope(self, nodeid: str) -> str:
            return "services" if nodeid.startswith(_SERVED) else nodeid.partition("::")[0]

    return ByServices(config, log)
