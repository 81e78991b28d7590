"""Redis, ports, and a stack that runs or was killed."""

import socket

import pytest

from orchestrator.doctor import running
from orchestrator.local.redis import NoRedisError
from orchestrator.local.stack import Addresses
from tests.unit.doctor.examples import context


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def levels(findings):
    return [(one.level, one.area) for one in findings]


def test_a_redis_that_answers_and_one_that_does_not(tmp_path, listener):
    here = context(tmp_path, {}, redis_url=f"redis://127.0.0.1:{listener}/0")
    assert levels(running.check_redis(here)) == [("ok", "redis")]
    (found,) = running.check_redis(context(tmp_path, {}, redis_url="redis://127.0.0.1:1/0"))
    assert (found.level, "--redis-url" in found.remedy) == ("bad", True)


def test_no_redis_to_start(tmp_path, monkeypatch):
    def none() -> str:
        raise NoRedisError("install `redis-server`")

    monkeypatch.setattr(running, "redis_binary", none)
    (found,) = running.check_redis(context(tmp_path, {}))
    assert (found.level, found.remedy) == ("bad", "install `redis-server`")


def test_a_taken_port_is_named_with_its_service(tmp_path, monkeypatch, listener):
    monkeypatch.setitem(running.DEFAULT_PORTS, "vlm", listener)
    found = list(running.check_stack(context(tmp_path, {}, services=("vlm",))))[-1]
    assert found.level == "bad"
    assert f"vlm {listener}" in found.text


def test_the_file_of_a_killed_stack_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "is_free", lambda _port: True)
    home = tmp_path / "home"
    Addresses("127.0.0.1:1", "redis://127.0.0.1:1/0", "microworld", "file:///x").write(home)
    found = list(running.check_stack(context(tmp_path, {})))
    assert levels(found) == [("warn", "stack"), ("ok", "ports")]
    assert "stack.json" in found[0].remedy


def test_a_running_stack_tells_which_service_is_down(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "is_serving", lambda address, _timeout: not address.endswith(":2"))
    services = {"vlm": "dns:///127.0.0.1:1", "sae": "dns:///127.0.0.2:2"}
    Addresses("127.0.0.1:3", "redis://127.0.0.1:1/0", "microworld", "file:///x", services).write(tmp_path / "home")
    found = list(running.check_stack(context(tmp_path, {})))
    assert [one.level for one in found] == ["ok", "ok", "bad"]
    assert "sae" in found[2].text
    assert "logs/sae.log" in found[2].remedy
