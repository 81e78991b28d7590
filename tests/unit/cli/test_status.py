"""What `steerscope status` makes of the API's answers."""

import io
import json

import grpc
import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli import status as command
from orchestrator.cli.board import board, duration
from orchestrator.cli.main import app
from orchestrator.cli.rates import Rates
from orchestrator.client import UnavailableError
from protos.v1 import jobs_pb2 as pb


def answer(
    time: float, done: int = 0, rows: int = 0, failures: tuple[pb.Failure, ...] = (), name: str = "mine"
) -> pb.StatusResponse:
    load = pb.ModelLoad(name="explain", requests=rows, rows=rows, batches=rows // 4, compute_seconds=rows / 20)
    job = pb.Job(
        id="abcdefabcdef",
        kind="explain",
        state=pb.RUNNING,
        spec=pb.JobSpec(name=name),
        items_total=100,
        items_by_state={"done": done, "failed": 2},
        created=900,
        started=950,
    )
    replicas = [
        pb.Replica(service="vlm", address="10.0.0.1:8001", state="ready", models=[load]),
        pb.Replica(service="vlm", address="10.0.0.2:8001", state="not_ready"),
        pb.Replica(service="sae", address="sae:8002", state="unreachable"),
    ]
    queue = pb.QueueStatus(waiting={"explain": 90, "index": 0}, running={"explain": 8}, outbox=3)
    workers = [pb.WorkerStatus(id="w1", host="host/17", running=8, threads=8, since=time - 90)]
    return pb.StatusResponse(time=time, replicas=replicas, queue=queue, workers=workers, jobs=[job], failures=failures)


def shown(*answers: pb.StatusResponse) -> str:
    rates = Rates()
    for one in answers:
        rates.add(one)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(board(rates))
    return console.export_text()


def test_one_answer_shows_what_is_there():
    text = shown(answer(1000, done=8, rows=40))
    for part in ("vlm", "1/2", "10.0.0.2:8001 not_ready", "sae:8002 unreachable", "host/17", "8/8", "1 min 30 s"):
        assert part in text, part
    assert "90 explain waiting · 8 explain running · 3 to be published" in text
    assert "0.20" in text and "10/100" in text  # 10 items in the 50 s since its start
    assert "7 min 30 s" in text  # for 90 more
    assert "4.0" in text  # rows a batch


def test_two_answers_give_rates_of_the_time_between_them():
    rates = Rates()
    for one in (answer(1000, done=8, rows=40), answer(1010, done=28, rows=140)):
        rates.add(one)
    assert rates.items_per_second(rates.newest.jobs[0]) == pytest.approx(2.0)
    load = rates.loads()["vlm"]
    assert (load.rows_per_second, load.busy, load.batch) == pytest.approx((10.0, 0.5, 4.0))


def test_rates_forget_what_is_long_past():
    rates = Rates()
    for second in range(100):
        rates.add(answer(1000 + second, done=0 if second < 60 else second - 60))
    assert 30 <= rates.seconds <= 32
    assert rates.items_per_second(rates.newest.jobs[0]) == pytest.approx(1.0)


def test_a_replica_that_was_started_again_counts_from_nothing():
    rates = Rates()
    for one in (answer(1000, rows=400), answer(1010, rows=20)):
        rates.add(one)
    assert rates.loads()["vlm"].rows_per_second == pytest.approx(2.0)


def test_failures_and_names_are_shown_as_they_are():
    failure = pb.Failure(job_id="abcdefabcdef", item="17", reason="[red]gone[/red]", time=940)
    text = shown(answer(1000, failures=(failure,), name="[b]x[/b]"))
    assert "[red]gone[/red]" in text and "[b]x[/b]" in text and "1 min 00 s" in text


def test_a_deployment_without_workers_says_so():
    told = answer(1000)
    told.ClearField("workers")
    assert "none gave a sign of life" in shown(told)


@pytest.mark.parametrize(("seconds", "words"), [(4, "4 s"), (75, "1 min 15 s"), (7500, "2 h 05 min")])
def test_durations(seconds, words):
    assert duration(seconds) == words


class FakeClient:
    address = "here"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def status(self, limit):
        return answer(1000, done=limit)


def test_json_is_for_programs(monkeypatch):
    monkeypatch.setattr(command, "connect", lambda api: FakeClient())
    done = CliRunner().invoke(app, ["status", "--json", "--limit", "7"])
    assert done.exit_code == 0
    told = json.loads(done.output)
    assert told["jobs"][0]["items_by_state"]["done"] == "7"
    assert told["replicas"][0]["models"][0]["failures"] == "0"


def test_an_api_that_is_away_is_waited_for(monkeypatch):
    monkeypatch.setattr(command, "_PAUSE", 0)
    answers = [answer(1000), UnavailableError(grpc.StatusCode.UNAVAILABLE, "here: gone"), answer(1001)]

    class Shaky(FakeClient):
        def status(self, limit):
            one = answers.pop(0)
            if isinstance(one, Exception):
                raise one
            return one

    console = Console(width=160, record=True, file=io.StringIO())
    views = command._views(Shaky(), 10)
    for _ in range(3):
        console.print(next(views))
    text = console.export_text()
    assert text.count("here: gone") == 1 and text.count("abcdefabcdef") == 3


def test_watching_one_job_is_another_command():
    done = CliRunner().invoke(app, ["status", "abcdefabcdef", "--watch"])
    assert done.exit_code == 1 and "watch JOB" in str(done.exception)
