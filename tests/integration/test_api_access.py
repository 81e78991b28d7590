"""Who gets into the Jobs API: tokens, TLS, and the limits of a call; over real gRPC and a real Redis."""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import SecretStr

from orchestrator.access import Access, AccessError
from orchestrator.api.server import ApiServer
from orchestrator.client import InvalidRequestError, JobsClient, JobsError, NoConnectionError, UnauthenticatedError
from orchestrator.settings import OrchestratorSettings
from protos.v1 import jobs_pb2 as pb
from protos.v1.jobs_pb2_grpc import JobsStub
from tests import certificates
from tests.integration.jobs_api import FakeBackend
from tests.redis import RedisServer, redis_server

__all__ = ["redis_server"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
TOKEN, NEW = "0123456789abcdef", "fedcba9876543210"
Serve = Callable[..., str]


@pytest.fixture
def serve(redis_server: RedisServer, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with these settings; its address."""
    with ExitStack() as stack:

        def start(**changes: object) -> str:
            values = {"redis_url": redis_server.url, "key_prefix": f"s{uuid.uuid4().hex[:8]}:", "api_port": 0}
            settings = OrchestratorSettings.model_validate({**values, "drain_seconds": 0.2, **changes})
            server = ApiServer(settings, FakeBackend(tmp_path / "artifacts"))
            server.start()
            stack.callback(server.drain)
            return f"127.0.0.1:{server.port}"

        yield start


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(f"# given out in May\n{TOKEN}\n")
    return file


def calls(address: str, access: Access | None = None) -> None:
    """A unary call and a stream."""
    with JobsClient(address, reconnect_seconds=0, access=access) as client:
        job = client.submit(pb.JobSpec(feature_ids=[1]))
        assert next(client.watch(job.id)).snapshot.id == job.id


def refused(address: str, access: Access | None = None) -> str:
    with JobsClient(address, reconnect_seconds=30, access=access) as client:
        told = set()
        for call in (lambda: client.list(1), lambda: next(client.watch("0123456789ab"))):
            with pytest.raises(UnauthenticatedError) as error:
                call()
            told.add(str(error.value))
        (one,) = told
    return one


def test_the_token(serve: Serve, tokens: Path):
    address = serve(api_token_file=tokens)
    calls(address, Access(token=SecretStr(TOKEN)))
    mine = tokens.with_name("mine")
    mine.write_text(f"{TOKEN}\n")
    calls(address, Access(token_file=mine, token=SecretStr(NEW)))
    assert "wants a token" in refused(address) and "STEERSCOPE_TOKEN_FILE" in refused(address)
    told = refused(address, Access(token=SecretStr(NEW)))
    assert "not one of this API's" in told and NEW not in told and TOKEN not in told


def test_tokens_are_changed_without_a_restart(serve: Serve, tokens: Path):
    address = serve(api_token_file=tokens)
    tokens.write_text(f"{TOKEN}\n{NEW}\n")
    calls(address, Access(token=SecretStr(TOKEN)))
    calls(address, Access(token=SecretStr(NEW)))
    tokens.write_text(f"\n{NEW}\n\n")
    calls(address, Access(token=SecretStr(NEW)))
    refused(address, Access(token=SecretStr(TOKEN)))
    tokens.unlink()  # nobody, rather than everybody
    refused(address, Access(token=SecretStr(NEW)))


def test_health_needs_no_token_and_reflection_does(serve: Serve, tokens: Path):
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(serve(api_token_file=tokens)) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        with pytest.raises(grpc.RpcError) as error:
            next(reflection(iter([ask])))
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        next(reflection(iter([ask]), metadata=(("authorization", f"Bearer {TOKEN}"),)))
        with pytest.raises(grpc.RpcError) as error:
            JobsStub(channel).List(pb.ListRequest(), metadata=(("authorization", TOKEN),))
        assert "one Bearer token" in str(error.value.details())


@pytest.mark.parametrize("content", ["", "# none\n", "short\n"])
def test_a_file_without_a_good_token_is_refused_at_the_start(serve: Serve, tokens: Path, content: str):
    tokens.write_text(content)
    with pytest.raises(ValueError, match=r"api_token_file: .*openssl rand -hex 32"):
        serve(api_token_file=tokens)


def test_a_token_does_not_cross_the_network_in_plain_text():
    with pytest.raises(AccessError, match="STEERSCOPE_TLS_CA"):
        JobsClient("api:8000", access=Access(token=SecretStr(TOKEN)))
    JobsClient("api:8000", access=Access(token=SecretStr(TOKEN), insecure_token=True)).close()
    JobsClient("localhost:8000", access=Access(token=SecretStr(TOKEN))).close()


def test_tls_and_a_token(serve: Serve, tokens: Path, tmp_path: Path):
    certs = certificates.make(tmp_path / "certs")
    address = serve(api_token_file=tokens, **certificates.server(certs, "api", mutual=True))
    ca = str(certs / "ca.pem")
    pair: dict[str, Any] = {"tls_client_cert": certs / "client.pem", "tls_client_key": certs / "client.key"}
    calls(address, Access(token=SecretStr(TOKEN), tls_ca=ca, **pair))
    for access, remedy in (
        (Access(), "set STEERSCOPE_TLS_CA"),
        (Access(tls_ca=ca), "set STEERSCOPE_TLS_CLIENT_CERT"),
        (
            Access(tls_ca=str(certificates.make(tmp_path / "others") / "ca.pem"), **pair),
            "must be the CA that issued it",
        ),
    ):
        with JobsClient(address, access=access) as client, pytest.raises(NoConnectionError, match=remedy):
            next(client.watch("0123456789ab"))
    with JobsClient(serve(), access=Access(tls_ca=ca)) as client, pytest.raises(NoConnectionError, match="unset"):
        client.list(1)


def test_an_open_api_says_so(serve: Serve, tokens: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        serve()
        assert "loopback" not in caplog.text
        serve(api_host="0.0.0.0")
        assert "STEERSCOPE_API_TOKEN_FILE" in caplog.text and "STEERSCOPE_TLS_CERT" in caplog.text
        caplog.clear()
        serve(api_host="0.0.0.0", api_token_file=tokens)
        assert "STEERSCOPE_API_TOKEN_FILE" not in caplog.text and "STEERSCOPE_TLS_CERT" in caplog.text


def test_limits_of_a_call(serve: Serve):
    address = serve(api_max_message_bytes=1 << 20, max_job_items=3)
    with JobsClient(address) as client:
        with pytest.raises(InvalidRequestError, match="features: makes 4 items, at most 3"):
            client.submit(pb.JobSpec(feature_ids=range(4)))
        with pytest.raises(InvalidRequestError, match=r"spec.variants: has 65 elements, at most 64"):
            client.submit(pb.JobSpec(feature_ids=[1], variants=["steering"] * 65))
    with grpc.insecure_channel(address) as channel:
        stub, huge = JobsStub(channel), pb.GetRequest(job_id="a" * (2 << 20))
        for compression in (None, grpc.Compression.Gzip):  # a bomb counts by what it is unpacked
            with pytest.raises(grpc.RpcError) as error:
                stub.Get(huge, compression=compression)
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError) as error:
            stub.List(pb.ListRequest(), metadata=(("x", "y" * (64 << 10)),))
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.List(pb.ListRequest()).next == ""


def test_explains_are_counted(serve: Serve):
    with JobsClient(serve(api_explains=1)) as client:
        running = client.explain(99)  # does not end by itself
        next(running)
        with pytest.raises(JobsError, match="STEERSCOPE_API_EXPLAINS"):
            list(client.explain(1))
        running.close()  # type: ignore[attr-defined]


def test_a_watcher_outlives_its_connection(serve: Serve):
    ages: dict[str, Any] = {"api_max_connection_age_seconds": 0.5, "api_max_connection_age_grace_seconds": 0.5}
    address = serve(**ages, keep_alive_seconds=0.2)
    with JobsClient(address) as client:
        job = client.submit(pb.JobSpec(feature_ids=[1])).id
        watching = client.watch(job)
        snapshots = 0
        for count, event in enumerate(watching):
            snapshots += event.HasField("snapshot")
            if count > 20:  # about four connections
                break
        assert snapshots == 1, "a resumed stream goes on where it was"
        assert client.cancel(job).state == pb.CANCELLED
        assert [event.snapshot.state for event in watching if event.HasField("snapshot")] == [pb.CANCELLED]
