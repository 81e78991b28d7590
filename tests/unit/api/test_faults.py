"""Which status an exception becomes, and that internals stay inside."""

import grpc
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.api.faults import DrainingError, status_of
from orchestrator.index.plan import IndexPlanError
from orchestrator.jobs.model import CancelledItem, PermanentError, TransientError
from orchestrator.jobs.records import RequestConflictError, UnknownJobError
from orchestrator.labels.plan import LabelPlanError
from orchestrator.pipeline.plan import PlanError
from orchestrator.remote import Fault
from services.serving.errors import UnavailableError
from services.serving.profile import ProfileError

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PlanError("top_k", "too many", "lower it"), Code.INVALID_ARGUMENT, "top_k: too many; lower it"),
        (IndexPlanError("name: missing"), Code.INVALID_ARGUMENT, "name: missing"),
        (LabelPlanError("questions", "none", "ask"), Code.INVALID_ARGUMENT, "label.questions: none; ask"),
        (RequestConflictError("request_id 'r'"), Code.ALREADY_EXISTS, "request_id 'r'"),
        (UnknownJobError("abc"), Code.NOT_FOUND, "no job 'abc'"),
        (ProfileError("profile 'x'"), Code.FAILED_PRECONDITION, "profile 'x'"),
        (PermanentError("image gone"), Code.FAILED_PRECONDITION, "image gone"),
        (Fault("sae: no"), Code.FAILED_PRECONDITION, "sae: no"),
        (TransientError("vlm: not ready"), Code.UNAVAILABLE, "vlm: not ready"),
        (UnavailableError("model 'maps'"), Code.UNAVAILABLE, "model 'maps'"),
        (DrainingError("going down"), Code.UNAVAILABLE, "going down"),
        (CancelledItem(), Code.CANCELLED, "gone"),
    ],
)
def test_status(error: Exception, code: grpc.StatusCode, told: str):
    found, message = status_of(error)
    assert found is code
    assert told in message


@pytest.mark.parametrize(
    ("error", "code"), [(RedisConnectionError("10.0.0.7:6379"), Code.UNAVAILABLE), (KeyError("/secret"), Code.INTERNAL)]
)
def test_internals_stay_inside(error: Exception, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture):
    found, message = status_of(error)
    assert found is code
    assert str(error) not in message
    if code is Code.INTERNAL:
        error_id = message.split()[2].rstrip(";")
        assert error_id in caplog.text
        assert "/secret" in caplog.text
