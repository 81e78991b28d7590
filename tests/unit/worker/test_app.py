"""What goes through Celery, and under which names; where handlers come from."""

import base64
import json
from collections.abc import Callable

import pytest
from kombu.exceptions import OperationalError

from orchestrator.jobs.dispatcher import dispatch
from orchestrator.local.ports import free_ports
from orchestrator.queue.app import make_app
from orchestrator.queue.tasks import TASKS, publisher, register
from orchestrator.settings import OrchestratorSettings
from orchestrator.worker.worker import load_handlers
from tests.unit.jobs.conftest import Jobs


def test_messages_carry_ids_in_json_to_the_queue_that_is_measured(jobs: Jobs):
    job = jobs.submit(["7", "12"])
    app = make_app(jobs.settings)
    assert dispatch(jobs.store, publisher(app, jobs.reader))
    assert not dispatch(jobs.store, publisher(app, jobs.reader))
    assert jobs.database.queue_length() == 2
    raw = jobs.database.read("LRANGE", jobs.database.keys.queue, 0, -1)
    messages = [json.loads(message) for message in raw]
    assert {message["headers"]["task"] for message in messages} == {"steerscope.explain_and_score"}
    assert {message["content-type"] for message in messages} == {"application/json"}
    assert {message["headers"]["eta"] for message in messages} == {None}  # waiting is the outbox's
    assert {message["headers"]["ignore_result"] for message in messages} == {True}
    assert [json.loads(base64.b64decode(message["body"]))[0] for message in messages[::-1]] == [[job, "7"], [job, "12"]]


def test_what_could_not_be_published_comes_again(jobs: Jobs):
    jobs.submit(["1"])

    def fail(job: str, item: str) -> None:
        raise OSError("the broker is away")

    with pytest.raises(OSError, match="away"):
        dispatch(jobs.store, fail)
    published: list[str] = []
    while not dispatch(jobs.store, lambda job, item: published.append(item)):
        pass
    assert published == ["1"]


def test_tasks_call_the_runner():
    app, seen = make_app(OrchestratorSettings()), []
    register(app, lambda job, item: seen.append((job, item)))
    for name in TASKS.values():
        app.tasks[name]("job", "1")
    assert seen == [("job", "1")] * len(TASKS)


def test_a_broker_that_was_long_away_is_found_soon(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: None)
    nobody = OrchestratorSettings(redis_url=f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    pauses: list[float] = []
    with make_app(nobody).connection_for_read() as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda error, pause: pauses.append(pause), 30)  # as Celery's consumer calls it
    assert len(pauses) == 30
    assert max(pauses) <= 3


@pytest.mark.parametrize("handlers", ["nowhere:handlers", "orchestrator.worker.handlers:nothing", "nonsense"])
def test_handlers_that_are_not_there(handlers: str, new_jobs: Callable[..., Jobs]):
    with pytest.raises(ValueError, match="handlers"):
        load_handlers(OrchestratorSettings(handlers=handlers))
