"""A model service under TLS and mTLS: who gets in, what the others are told, and certificates that change."""

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from services.serving.client import ServiceClient
from services.serving.errors import UnavailableError
from services.serving.server import ServiceServer
from services.serving.settings import ServiceSettings
from services.serving.tls import TlsError
from tests import certificates
from tests.integration.serving.conftest import Service, serve_toy
from tests.unit.serving.toy import TOY, WHOLE, ToyModel, WholeModel, row

pytestmark = pytest.mark.integration


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    return certificates.make(tmp_path / "certs")


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Those of somebody else."""
    return certificates.make(tmp_path / "others")


async def answer(client: ServiceClient) -> str:
    (result,) = await asyncio.to_thread(client.infer, TOY, [row("hello")], timeout=20)
    return str(result.text)


async def refusal(toy: Service, tls) -> str:
    """What a client with these settings is told."""
    with ServiceClient(toy.target, tls=tls) as client, pytest.raises(UnavailableError) as refused:
        await asyncio.to_thread(client.ready, 1)
    assert toy.target in str(refused.value)
    return str(refused.value)


async def probe(target: str, tls, *options: str) -> tuple[int, str]:
    """Exit status and message of the health check."""
    environment = {} if tls is None else {"STEERSCOPE_TLS_CA": tls.ca}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.serving.probe", target, *options),
        env=os.environ | environment,
        stderr=subprocess.PIPE,
    )
    _, told = await process.communicate()
    return process.returncode or 0, told.decode()


async def test_tls(certs, others):
    async with serve_toy(**certificates.server(certs)) as toy:
        with ServiceClient(toy.target, tls=certificates.client(certs)) as client:
            assert await asyncio.to_thread(client.ready, 10)
            assert await answer(client) == "HELLO"
        assert "set STEERSCOPE_TLS_CA" in await refusal(toy, None)
        assert "must be the CA that issued it" in await refusal(toy, certificates.client(others))


async def test_mutual_tls(certs, others):
    async with serve_toy(**certificates.server(certs, mutual=True)) as toy:
        with ServiceClient(toy.target, tls=certificates.client(certs, mutual=True)) as client:
            assert await answer(client) == "HELLO"
        assert "set STEERSCOPE_TLS_CLIENT_CERT" in await refusal(toy, certificates.client(certs))
        stranger = certificates.client(others, mutual=True)
        mixed = type(stranger)(str(certs / "ca.pem"), stranger.cert, stranger.key)
        assert "it refuses the client certificate" in await refusal(toy, mixed)
        assert "set STEERSCOPE_TLS_CA" in await refusal(toy, None)


async def test_a_plain_service_tells_clients_under_tls(serve, certs):
    async with serve() as toy:
        assert "it speaks plain text, this client TLS: unset STEERSCOPE_TLS_CA" in await refusal(
            toy, certificates.client(certs)
        )


async def test_a_certificate_must_name_the_host(certs):
    async with serve_toy(**certificates.server(certs, "client")) as toy:  # a certificate that names none
        assert "certificate is not accepted for 127.0.0.1" in await refusal(toy, certificates.client(certs))


async def test_health_checks_under_tls(certs):
    async with serve_toy(**certificates.server(certs, mutual=True)) as toy:
        tls = certificates.client(certs, mutual=True)
        options = ("--tls-client-cert", str(tls.cert), "--tls-client-key", str(tls.key))
        assert await probe(toy.target, tls, *options) == (0, "")
        status, told = await probe(toy.target, tls)
        assert status == 1 and "set STEERSCOPE_TLS_CLIENT_CERT" in told
        status, told = await probe(toy.target, None)
        assert status == 1 and "set STEERSCOPE_TLS_CA" in told
        status, told = await probe(toy.target, None, "--tls-client-cert", "x")
        assert status == 2 and "belong together" in told


def presented(toy: Service) -> str:
    return ssl.get_server_certificate(("127.0.0.1", toy.server.port))


async def test_a_renewed_certificate_needs_no_restart(certs):
    async with serve_toy(**certificates.server(certs)) as toy:
        with ServiceClient(toy.target, tls=certificates.client(certs)) as client:
            assert await answer(client) == "HELLO"
            first = await asyncio.to_thread(presented, toy)
            certificates.make(certs)  # the CA stays
            assert await answer(client) == "HELLO"  # the open connection goes on
            assert await asyncio.to_thread(presented, toy) != first


async def test_client_and_server_follow_to_another_authority(certs, tmp_path):
    stale = tmp_path / "stale"
    stale.mkdir()
    for file in certs.iterdir():
        (stale / file.name).write_bytes(file.read_bytes())
    async with serve_toy(**certificates.server(certs, mutual=True)) as toy:
        with ServiceClient(toy.target, tls=certificates.client(certs, mutual=True)) as client:
            assert await answer(client) == "HELLO"
            certificates.renew(certs)
            assert await answer(client) == "HELLO"
        assert "must be the CA that issued it" in await refusal(toy, certificates.client(stale, mutual=True))


async def test_half_written_files_leave_the_old_certificate_in_use(certs):
    async with serve_toy(**certificates.server(certs)) as toy:
        with ServiceClient(toy.target, tls=certificates.client(certs)) as client:
            key, ca = (certs / "vlm.key").read_bytes(), (certs / "ca.pem").read_bytes()
            (certs / "vlm.key").write_text("-----BEGIN")
            (certs / "ca.pem").write_text("-----BEGIN")
            assert await answer(client) == "HELLO"
            (certs / "ca.pem").write_bytes(ca)
            with ServiceClient(toy.target, tls=certificates.client(certs)) as another:
                assert await answer(another) == "HELLO"
            (certs / "vlm.key").write_bytes(key)


async def test_a_service_does_not_start_with_files_that_do_not_fit(certs):
    settings = ServiceSettings(**{**certificates.server(certs), "port": 0, "tls_key": certs / "sae.key"})
    server = ServiceServer("toy", settings, (TOY, WHOLE), lambda: (ToyModel(), WholeModel()))
    with pytest.raises(TlsError, match=r"tls_cert, tls_key: .*vlm.pem and .*sae.key must be PEM files"):
        await server.start()
    await server.stop()
