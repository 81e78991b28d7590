"""A stack with real models: it waits for what loads, tells what it waits for, and says why a service died."""

import socket
import sys
import time

import pytest

from orchestrator.local import patience
from orchestrator.local import supervisor as supervisors
from orchestrator.local.downloads import arriving, hub_cache
from orchestrator.local.patience import Patience
from orchestrator.local.process import Process, ProcessSpec
from orchestrator.local.reasons import readable, remedy_of
from orchestrator.local.stack import Part, Stack
from orchestrator.local.supervisor import StackError, Supervisor

GATED = """
huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: Root=1-2)
Cannot access gated repo for url https://huggingface.co/google/gemma-3-4b-it/resolve/main/config.json.
OSError: You are trying to access a gated repo.
"""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (GATED, "https://huggingface.co/google/gemma-3-4b-it with your account"),
        ("RepositoryNotFoundError: … https://huggingface.co/api/models/me/typo/revision/main", "me/typo"),
        ("OSError: We couldn't connect to 'https://huggingface.co' to load the files", "HF_HUB_OFFLINE"),
        ("httpx2.ConnectError: [Errno -2] Name or service not known", "the hub does not answer"),
        ("Cannot load model me/sd: the model is not fully cached locally", "the hub does not answer"),
        ("OSError: [Errno 28] No space left on device", "HF_HOME"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "one-card"),
        ("ValueError: setting 'device': 'cuda' was asked for, but torch sees no GPU; give cpu or auto", "CUDA build"),
        ("ModuleNotFoundError: No module named 'sam2'", "steerscope[segmenter]"),
    ],
)
def test_known_reasons_have_remedies(log, said):
    assert said in str(remedy_of(log, "oracle_segmenter"))


def test_an_unknown_reason_has_none():
    assert remedy_of("KeyError: 'x'", "vlm") is None


def test_json_lines_are_made_readable_and_others_are_left():
    log = (
        '{"event": "starting on 8001", "level": "info", "timestamp": "t"}\n'
        '{"event": "cannot start: no such block", "level": "error", "exception": "Trace\\nValueError: no such block"}\n'
        '{"event": "cannot start", "level": "error", "exception": "Traceback …\\n  File x\\nValueError: bad layer"}\n'
        "Segmentation fault\n[1, 2]"
    )
    assert readable(log).splitlines() == [
        "info: starting on 8001",
        "error: cannot start: no such block (ValueError: no such block)",
        "error: cannot start (ValueError: bad layer)",
        "Segmentation fault",
        "[1, 2]",
    ]


def test_a_service_that_dies_while_loading_says_why(tmp_path):
    stack = Stack("microworld", tmp_path, None, 1, fixed_ports=False)
    process = Process(
        ProcessSpec("vlm", (sys.executable, "-c", f"import sys; print('''{GATED}'''); sys.exit(1)")), tmp_path
    )
    process.start()
    process.wait(30)
    running = Supervisor(stack, lambda *_: None)
    running._processes["vlm"] = process
    with pytest.raises(
        StackError, match=r"(?s)ended with code 1.*gated repo.*what to do: accept the licence at .*HF_TOKEN"
    ):
        running._await_ready([Part(process.spec, "127.0.0.1:1")])


@pytest.fixture
def clock(monkeypatch):
    """Turns `patience` forward."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(patience, "time", made)
    return made


def test_what_listens_may_load_for_ever_and_what_does_not_has_ten_minutes(clock):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"dns:///127.0.0.1:{listening.getsockname()[1]}"
        waiting = Patience()
        assert not waiting.over("dns:///127.0.0.1:1")
        clock.now += 100_000
        assert not waiting.over(address)
        assert waiting.over("dns:///127.0.0.1:1")


def test_hints_come_now_and_then_and_count_what_arrives(clock, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    blobs = tmp_path / "models--google--gemma" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(bytes(1000))
    (blobs / "done").write_bytes(bytes(5000))
    assert arriving(hub_cache()) == 1000
    waiting = Patience()
    assert waiting.hint() is None
    clock.now += 31
    assert waiting.hint() == "still loading after 31 s, 0.0 GB of a download here so far"
    assert waiting.hint() is None
    clock.now += 61
    assert waiting.hint() is not None


def test_the_supervisor_tells_whom_it_waits_for(tmp_path, monkeypatch):
    said = []

    class Hasty(Patience):
        def hint(self) -> str:
            return "still loading"

        def over(self, address: str) -> bool:
            return bool(said)

    monkeypatch.setattr(supervisors, "Patience", Hasty)
    process = Process(ProcessSpec("vlm", (sys.executable, "-c", "import time; time.sleep(60)")), tmp_path)
    process.start()
    running = Supervisor(Stack("microworld", tmp_path, None, 1, fixed_ports=False), lambda *told: said.append(told))
    running._processes["vlm"] = process
    try:
        with pytest.raises(StackError, match=r"vlm does not listen at 127\.0\.0\.1:1 after"):
            running._await_ready([Part(process.spec, "127.0.0.1:1")])
    finally:
        process.terminate()
        process.wait(10)
    assert said == [("vlm", f"still loading (logs in {tmp_path}/logs)")]


def test_the_hub_s_variables_reach_the_services(tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, f"my-{name}")
    spec = next(iter(Stack("gemma3-4b", tmp_path, None, 1, fixed_ports=False).services())).spec
    code = "import os; print(*(os.environ[n] for n in ('HF_TOKEN', 'HF_HOME', 'HF_HUB_OFFLINE')))"
    process = Process(ProcessSpec(spec.name, (sys.executable, "-c", code), spec.env), tmp_path)
    process.start()
    process.wait(30)
    assert process.log_tail() == "my-HF_TOKEN my-HF_HOME my-HF_HUB_OFFLINE"


def test_workers_and_api_end_before_the_services_and_redis_last(tmp_path):
    ends = tmp_path / "ends"

    def program(name):
        wait = "import signal, sys; signal.sigwait({signal.SIGTERM})"
        block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
        ready = f"open({str(tmp_path / name)!r}, 'w')"
        tell = f"open({str(ends)!r}, 'a').write({name + ' '!r})"
        return ProcessSpec(name, (sys.executable, "-c", f"{block}; {ready}; {wait}; {tell}"))

    supervisor = Supervisor(Stack("microworld", tmp_path, None, 1, fixed_ports=False), lambda *_: None)
    names = ("redis", "vlm-1", "worker-1", "api", "worker-2", "sae")
    supervisor._launch([Part(program(name)) for name in names])
    deadline = time.monotonic() + 120
    while not all((tmp_path / name).exists() for name in names):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert set(supervisor.pids()) == set(names)
    supervisor.stop()
    ended = ends.read_text().split()
    assert set(ended[:3]) == {"worker-1", "worker-2", "api"} and set(ended[3:5]) == {"vlm-1", "sae"}
    assert ended[5] == "redis" and not supervisor.pids()
