"""`steerscope explain`: what is asked of the API, and what is shown of its answers."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.cli import explain as explain_module
from orchestrator.cli.main import app
from orchestrator.client import InvalidRequestError, JobsClient
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, VariantResult


class FakeClient:
    """Explains everything by steering; refuses feature 9."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, pb.JobSpec]] = []
        self.closed = False
        self._lock = threading.Lock()

    def explain(self, feature=None, *, direction=None, spec=None) -> Iterator[pb.ExplainEvent]:
        with self._lock:
            self.asked.append((direction if feature is None else feature, spec))
        if feature == 9:
            raise InvalidRequestError(grpc.StatusCode.INVALID_ARGUMENT, "feature: 9 is not in 0…8")
        name = "" if direction is None else direction.name or "a − b"
        variant = VariantResult(variant="steering", outcome="ok", text=f"text of {name or feature}")
        yield pb.ExplainEvent(explanation=variant)
        outcome = "dead" if feature == 7 else "ok"
        result = FeatureResult(feature=-1 if feature is None else feature, direction=name, outcome=outcome)
        result.variants.append(variant)
        result.reason = "positive: 2 images" if direction is not None else ""
        yield pb.ExplainEvent(result=result)

    def close(self) -> None:
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(explain_module, "connect", lambda api: fake)
    return fake


def call(*words: str):
    return CliRunner().invoke(app, ["explain", *words])


def test_a_list_of_features_with_an_alpha(client: FakeClient):
    done = call("3,17,40-42", "--alpha", "3", "--variants", "steering,steering@2.5")
    assert done.exit_code == 0, done.exception
    assert sorted(target for target, _ in client.asked) == [3, 17, 40, 41, 42]
    for _, spec in client.asked:
        assert (spec.steering.alpha, spec.steering.unit) == (3, "norm")
        assert list(spec.variants) == ["steering", "steering@2.5"]
        assert not spec.HasField("informed") and not spec.HasField("protocol")


def test_settings_travel(client: FakeClient):
    assert call("3", "--informed-alpha", "50", "--unit", "raw", "--protocol", "released").exit_code == 0
    ((_, spec),) = client.asked
    assert (spec.informed.alpha, spec.informed.unit, spec.protocol) == (50, "raw", "released")
    assert not spec.HasField("steering")
    assert not spec.variants and not spec.scores  # the profile's


def test_rows_of_a_file_are_steered_with(client: FakeClient, tmp_path):
    np.save(tmp_path / "probe.npy", np.eye(3))
    assert call("--direction", str(tmp_path / "probe.npy"), "--name", "axis").exit_code == 0
    found = {target.name: list(target.values) for target, _ in client.asked}
    assert found == {f"axis[{i}]": np.eye(3)[i].tolist() for i in range(3)}
    assert all((list(spec.variants), list(spec.scores)) == (["steering"], ["none"]) for _, spec in client.asked)


def test_a_contrast_of_folders(client: FakeClient, tmp_path):
    for side in ("dogs", "cats"):
        (tmp_path / side).mkdir()
    done = call("--contrast", str(tmp_path / "dogs"), str(tmp_path / "cats"), "--variants", "steering@4")
    assert done.exit_code == 0, done.exception
    ((target, spec),) = client.asked
    assert (target.contrast.positive, target.contrast.negative) == (str(tmp_path / "dogs"), str(tmp_path / "cats"))
    assert list(spec.variants) == ["steering@4"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "exactly one"),
        (("3", "--direction", "x.npy"), "exactly one"),
        (("3", "--name", "mine"), "leave --name out"),
        (("x",), "neither an id"),
        (("0-256",), "queue them"),
        (("3,7",), "1 of 2 did not end well: feature 7: dead"),
        (("7",), "feature 7: dead"),
        (("1-9",), "9 is not in"),
    ],
)
def test_faults_are_one_line(client: FakeClient, words, message):
    done = call(*words)
    assert done.exit_code == 1
    assert message in str(done.exception)


class NoAnswers(list[pb.ExplainEvent]):
    def cancel(self) -> None:
        self.clear()


def test_a_direction_may_be_a_message(monkeypatch: pytest.MonkeyPatch):
    """The real client sends it as it is."""
    sent: list[pb.ExplainRequest] = []

    def keep(request: pb.ExplainRequest) -> NoAnswers:
        sent.append(request)
        return NoAnswers()

    client = JobsClient("127.0.0.1:9")
    monkeypatch.setattr(client._stub, "Explain", keep)
    direction = pb.Direction(contrast=pb.Contrast(positive="p", negative="n"), name="mine")
    assert list(client.explain(direction=direction)) == []
    assert list(client.explain(direction=[1.0, 2.0], name="raw")) == []
    assert [request.direction for request in sent] == [direction, pb.Direction(values=[1, 2], name="raw")]
    with pytest.raises(InvalidRequestError, match="either"):
        client.explain()
    client.close()
