"""The same schedules on a real Redis: every answer and the state at the end are those of the simulated one.

A real Redis cannot be told the time. Here alone the one place where scripts ask for it reads it from a key instead.
"""

import uuid
from collections.abc import Collection
from importlib import resources

import pytest

from orchestrator.jobs.database import Argument, Database, script_names
from tests.chaos.machine.schedule import run_schedules
from tests.chaos.machine.simulation import PREFIX, Call, Simulation, carry_out, plain
from tests.redis import RedisServer, redis_server

__all__ = ["redis_server"]

SCRIPTS = resources.files("orchestrator.jobs") / "scripts"
TIME = "redis.call('TIME')"
ZSETS = ("outbox", "published", "leases")


class Recorder(Simulation):
    """Keeps the journals of all schedules, with the state at the end of each."""

    def __init__(self) -> None:
        self.schedules: list[tuple[list[Call], dict[str, object]]] = []
        super().__init__()

    def reset(self) -> None:
        if getattr(self, "journal", []):
            self.schedules.append((self.journal, state(self.database, self.reference.jobs)))
        super().reset()


class RealRedis(Database):
    """The product's scripts on a real server, with the time in a key."""

    def __init__(self, url: str) -> None:
        super().__init__(url, PREFIX, retry_seconds=5)
        self.clock = f"clock{uuid.uuid4().hex}"
        common = (SCRIPTS / "common.lua").read_text()
        assert common.count(TIME) == 1
        common = common.replace(TIME, f"redis.call('LRANGE', '{self.clock}', 0, 1)")
        for name in script_names():
            text = (SCRIPTS / f"{name}.lua").read_text()
            assert TIME not in text, "now() in common.lua is the only clock"
            self._scripts[name] = self._redis.register_script(common + text)

    def replay(self, call: Call) -> object:
        """The answer to a call at its time."""
        seconds, rest = divmod(call.microseconds, 1_000_000)
        self._redis.delete(self.clock)
        self._redis.rpush(self.clock, seconds, rest)
        return plain(carry_out(self, call.name, call.arguments))

    def clear(self) -> None:
        for key in self._redis.scan_iter(f"{PREFIX}*"):
            self._redis.delete(key)


def state(database: Database, jobs: Collection[str]) -> dict[str, object]:
    """All that the transitions wrote, without the ids of events, which tell the server's own time."""
    keys = database.keys
    commands: list[tuple[Argument, ...]] = [("ZRANGE", f"{PREFIX}{zset}", 0, -1, "WITHSCORES") for zset in ZSETS]
    for job in jobs:
        commands += [("HGETALL", keys.job(job)), ("LRANGE", keys.items(job), 0, -1)]
        commands += [("HGETALL", keys.item(job, str(item))) for item in (0, 1, 2, "merge")]
    found = {str(command): answer for command, answer in zip(commands, database.read_all(commands), strict=True)}
    for job in jobs:
        events = database.read("XRANGE", keys.events(job), "0-0", "+")
        found[f"events {job}"] = [fields for _, fields in events]
    return found


@pytest.mark.integration
def test_a_real_redis_gives_the_same_answers(redis_server: RedisServer):
    simulation = Recorder()
    run_schedules(simulation, 20, seed=7)
    simulation.reset()
    real = RealRedis(redis_server.url)
    calls = 0
    for journal, expected in simulation.schedules:
        real.clear()
        jobs = {str(call.answer[0]) for call in journal if call.name == "submit"}
        for call in journal:
            assert real.replay(call) == call.answer, call
        assert state(real, jobs) == expected
        calls += len(journal)
    real.clear()
    real.close()
    assert calls > 300
