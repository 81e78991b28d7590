"""Child processes: ended politely, killed when deaf, started again; ports that are free."""

import socket
import sys
import time

import pytest

from orchestrator.local.ports import free_ports, is_free
from orchestrator.local.process import Process, ProcessSpec
from orchestrator.local.stack import Stack
from orchestrator.local.supervisor import StackError, Supervisor

READY = "print('ready', flush=True)"
POLITE = f"import signal, sys, time; signal.signal(15, lambda *_: sys.exit(3)); {READY}; time.sleep(60)"
DEAF = f"import signal, time; signal.signal(15, signal.SIG_IGN); {READY}; time.sleep(60)"


def started(tmp_path, code, **env) -> Process:
    process = Process(ProcessSpec("child", (sys.executable, "-c", code), env), tmp_path)
    process.start()
    return process


def await_ready(process: Process) -> None:
    deadline = time.monotonic() + 60
    while "ready" not in process.log_tail():
        assert time.monotonic() < deadline, process.log_tail()
        time.sleep(0.02)


def test_a_polite_child_ends_with_its_own_code(tmp_path):
    process = started(tmp_path, POLITE)
    await_ready(process)
    assert process.running
    process.terminate()
    process.wait(30)
    assert process.exit_code == 3


def test_a_deaf_child_is_killed(tmp_path):
    process = started(tmp_path, DEAF)
    await_ready(process)
    process.terminate()
    process.wait(0.2)
    assert process.exit_code == -9


def test_output_and_environment(tmp_path):
    process = started(tmp_path, "import os; print(os.environ['WORD'])", WORD="blue")
    process.wait(30)
    assert process.log_tail() == "blue"


def test_free_ports_are_free_and_different():
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[0]))
        taken.listen()
        assert not is_free(ports[0])


def test_a_part_that_keeps_dying_is_given_up_with_its_log(tmp_path):
    supervisor = Supervisor(Stack("microworld", tmp_path, None, 1, fixed_ports=False), lambda *_: None)
    supervisor._processes["child"] = started(tmp_path, "raise SystemExit('no such model')")
    with pytest.raises(StackError, match="no such model"):
        supervisor.watch(until=lambda: False)


def test_the_stack_leaves_out_what_runs_elsewhere(tmp_path):
    stack = Stack("microworld", tmp_path, "redis://far:6379/0", 1, fixed_ports=True, elsewhere={"vlm": "dns:///far:1"})
    assert stack.redis() is None
    assert [part.spec.name for part in stack.services()] == ["sae", "generator", "segmenter", "clip"]
    assert stack.environment["STEERSCOPE_VLM"] == "dns:///far:1"
    assert not {"redis", "vlm"} & set(stack.ports_in_use())
    env = next(part for part in stack.oracles() if part.spec.name == "oracle_segmenter").spec.env
    assert str(tmp_path) in env["STEERSCOPE_SEGMENTER_BACKEND_OPTIONS"]
