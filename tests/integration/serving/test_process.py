"""A service as a process: command line, signals, exit statuses."""

import os
import signal
import subprocess
import sys
import threading
import time

import grpc
import pytest

from services.serving import codec
from services.serving.client import ServiceClient
from services.serving.codec import decode_response, encode_request
from services.serving.oip import GRPCInferenceServiceStub, pb
from services.serving.run import EXIT_DEVICE, EXIT_LOAD, EXIT_USAGE
from tests.services import ROOT, free_port
from tests.unit.serving.toy import TOY, row

pytestmark = pytest.mark.integration


class Toy:
    def __init__(self, *arguments, **environment):
        self.port = free_port()
        command = [sys.executable, "-m", "tests.integration.serving.toyservice", "--port", str(self.port)]
        fixed = {"STEERSCOPE_TOY_DRAIN_WAIT_SECONDS": "0.2"}
        self.process = subprocess.Popen(
            [*command, "--metrics-port", "0", *arguments],
            cwd=ROOT,
            env={**os.environ, **fixed, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def client(self):
        client = ServiceClient(f"127.0.0.1:{self.port}")
        assert client.ready(30)
        return client

    def end(self, timeout=30):
        """Exit status and everything that it wrote."""
        output, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, output


@pytest.fixture
def start():
    toys = []

    def begin(*arguments, **environment):
        toys.append(Toy(*arguments, **environment))
        return toys[-1]

    yield begin
    for toy in toys:
        if toy.process.poll() is None:
            toy.process.kill()
            toy.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_0(start, number):
    toy = start()
    answers = []
    with toy.client() as client:
        thread = threading.Thread(target=lambda: answers.extend(client.infer(TOY, [row("slow")], timeout=20)))
        thread.start()
        time.sleep(0.25)
        toy.process.send_signal(number)
        toy.process.send_signal(number)  # the echo that a supervisor adds to a terminal's signal
        status, log = toy.end()
        thread.join()
    assert status == 0, log
    assert [answer.text for answer in answers] == ["SLOW"] and f"{number.name}: draining" in log


def test_a_drain_serves_those_who_have_not_heard_of_it_yet(start):
    """The wait before a drain closes: clients still have this replica in their lists."""
    toy = start(STEERSCOPE_TOY_DRAIN_WAIT_SECONDS="3")
    toy.client().close()
    with grpc.insecure_channel(f"127.0.0.1:{toy.port}") as channel:  # one that looks at no health
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=20).ready
        toy.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert not stub.ServerReady(pb.ServerReadyRequest(), timeout=20).ready
        answer = stub.ModelInfer(encode_request(TOY, [row("late")]), timeout=20)
    (result,) = decode_response(TOY, answer)
    assert result.text == "LATE" and toy.end()[0] == 0


def test_a_later_second_signal_ends_it_at_once(start):
    toy = start(STEERSCOPE_TOY_DRAIN_WAIT_SECONDS="60")
    toy.client().close()
    toy.process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    assert toy.process.poll() is None
    toy.process.send_signal(signal.SIGTERM)
    assert toy.end(5)[0] == 0


def test_a_signal_while_loading_ends_it_at_once(start):
    toy = start(TOY_FAULT="hang")
    with grpc.insecure_channel(f"127.0.0.1:{toy.port}") as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(pb.ServerLiveRequest(), timeout=30, wait_for_ready=True).live
        assert not stub.ServerReady(pb.ServerReadyRequest(), timeout=5).ready
    toy.process.send_signal(signal.SIGTERM)
    assert toy.end(5)[0] == 0


def test_a_lost_device_answers_and_exits(start):
    toy = start()
    toy.client().close()
    # Our own client would try again elsewhere: look at the bare answer.
    with grpc.insecure_channel(f"127.0.0.1:{toy.port}") as channel, pytest.raises(grpc.RpcError) as caught:
        GRPCInferenceServiceStub(channel).ModelInfer(codec.encode_request(TOY, [row("poison")]), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE and "the device failed" in caught.value.details()
    status, log = toy.end()
    assert status == EXIT_DEVICE and "device-side assert" in log


def test_an_idle_process_sleeps_between_requests_and_answers_them_all(start):
    toy = start(STEERSCOPE_TOY_IDLE_UNLOAD_SECONDS="0.05")
    prompts, answers = [[f"{i}-{j}" for j in range(1 + i % 8)] for i in range(24)], {}

    def ask(client, i):
        time.sleep(0.05 * (i % 6))  # around the switch
        rows = [row(prompt) for prompt in prompts[i]]
        answers[i] = [answer.text for answer in client.infer(TOY, rows, timeout=20)]

    with toy.client() as client:
        for first in range(0, len(prompts), 6):
            time.sleep(0.3)
            threads = [threading.Thread(target=ask, args=(client, first + i)) for i in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    toy.process.send_signal(signal.SIGTERM)
    status, log = toy.end()
    assert status == 0, log
    assert answers == dict(enumerate(prompts))
    assert log.count("model toy: its weights left the device") >= 2
    assert "model toy: its weights are on the device" in log


def test_a_model_that_cannot_be_loaded_is_told(start):
    status, log = start(TOY_FAULT="load").end()
    assert status == EXIT_LOAD and "cannot start: no weights here" in log


def test_a_port_that_is_taken_is_told(start):
    toy = start()
    toy.client().close()
    status, log = start("--port", str(toy.port)).end()
    assert status == EXIT_LOAD and f"port {toy.port} of 127.0.0.1 cannot be opened; set another" in log


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--profile", "nowhere"], {}, "profile 'nowhere' is unknown; give one of"),
        (["--port", "70000"], {}, "setting 'port': Input should be less than or equal to 65535"),
        ([], {"STEERSCOPE_TOY_MAX_QUEUE_SIZE": "0"}, "environment STEERSCOPE_TOY_MAX_QUEUE_SIZE"),
    ],
)
def test_wrong_settings_are_told(start, arguments, environment, message):
    status, output = start(*arguments, **environment).end()
    assert status == EXIT_USAGE and message in output


def test_help_shows_models_and_an_example(start):
    status, output = start("--help").end()
    assert status == 0 and "Adds and measures." in output and "Example:" in output
