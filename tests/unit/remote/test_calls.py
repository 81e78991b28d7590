"""How faults of the services end: retried, released, or refused for good."""

import time

import pytest

from orchestrator.jobs.model import CancelledItem, TransientError
from orchestrator.remote import Calls, Fault
from services.clip.spec import TEXT, TextRow
from services.serving.errors import ExpiredError, InvalidInputError, OverloadedError, ServingError, UnavailableError
from tests.unit.pipeline import fakes

ROWS = [TextRow("a"), TextRow("b")]


def make(clients: fakes.Fakes, retry_seconds: float = 5.0, cancelled=lambda: False, versions=()) -> Calls:
    return Calls(clients, 10.0, retry_seconds, cancelled, versions=dict(versions))


@pytest.fixture
def clients() -> fakes.Fakes:
    return fakes.clients()


def test_transient_faults_are_retried(clients: fakes.Fakes):
    clients.clip.faults["text"] = [UnavailableError("draining"), OverloadedError("full"), ExpiredError("late")]
    assert len(make(clients).infer("clip", TEXT, ROWS)) == 2
    assert len(clients.clip.calls["text"]) == 4


def test_the_budget_ends_in_a_transient_error(clients: fakes.Fakes):
    clients.clip.faults["text"] = [UnavailableError("draining")] * 99
    with pytest.raises(TransientError, match="clip: draining"):
        make(clients, retry_seconds=0.3).infer("clip", TEXT, ROWS)


def test_a_service_that_is_down_is_not_called(clients: fakes.Fakes):
    clients.clip.up = False
    with pytest.raises(TransientError, match="not ready"):
        make(clients, retry_seconds=0).infer("clip", TEXT, ROWS)
    assert not clients.clip.calls["text"]


@pytest.mark.parametrize("error", [InvalidInputError("TEXT: too long"), ServingError("broken"), ValueError("row")])
def test_refusals_are_final(clients: fakes.Fakes, error: Exception):
    clients.clip.faults["text"] = [error]
    with pytest.raises(Fault, match=f"clip: {error}"):
        make(clients).infer("clip", TEXT, ROWS)
    assert len(clients.clip.calls["text"]) == 1


def test_another_version_is_refused(clients: fakes.Fakes):
    with pytest.raises(Fault, match="not served"):
        make(clients, versions={"clip.text": "old"}).infer("clip", TEXT, ROWS)


def test_cancelling_ends_a_pause_quickly(clients: fakes.Fakes):
    clients.clip.faults["text"] = [UnavailableError("draining")] * 99
    start = time.monotonic()
    with pytest.raises(CancelledItem):
        make(clients, 60, lambda: time.monotonic() > start + 0.4).infer("clip", TEXT, ROWS)
    assert time.monotonic() - start < 2


def test_a_call_has_the_time_of_its_stage(clients: fakes.Fakes):
    make(clients).infer("clip", TEXT, ROWS)
    assert clients.clip.timeouts == [10.0]


def test_no_rows_no_call(clients: fakes.Fakes):
    assert make(clients).infer("clip", TEXT, []) == []


def test_a_missing_oracle_is_named():
    with pytest.raises(LookupError, match="STEERSCOPE_ORACLE_GENERATOR"):
        fakes.clients(oracles=False).get("oracle_generator")
