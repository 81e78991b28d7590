"""What each kind of fault does to a deployment. Returns when the fault is over; what ends then comes back."""

from __future__ import annotations

import json
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping

import redis
from redis.exceptions import RedisError

from tests.chaos.deployment import Deployment
from tests.chaos.schedule import Fault, Kind
from tests.chaos.trouble import Trouble

_SIGNALS = {Kind.KILL: signal.SIGKILL, Kind.TERM: signal.SIGTERM}
_QUEUE_PATIENCE, _QUEUE_PAUSE = 2.0, 0.01


def strike(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    """Do it; a note of what came of it. `over` ends what lasts. Raises RedisError where Redis is away already."""
    return _STRIKES[fault.kind](fault, deployment, over)


def _end(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    deployment.end(fault.target, _SIGNALS[fault.kind], fault.seconds)
    return ""


def _freeze(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    with deployment.frozen(fault.target):
        time.sleep(fault.seconds)  # to its end even when the job is over: what wakes late must do no harm
    return ""


def _storm(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    trouble = Trouble(time.monotonic() + fault.seconds, status=fault.detail)
    return _trouble(trouble, fault, deployment, over)


def _hang(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    timeout = deployment.stack.settings.stage_timeout_seconds
    return _trouble(Trouble(time.monotonic() + fault.seconds, delay=timeout * 1.1), fault, deployment, over)


def _trouble(trouble: Trouble, fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    trouble.tell(deployment.stack.trouble(fault.target))
    over.wait(fault.seconds)
    deployment.stack.trouble(fault.target).unlink(missing_ok=True)
    return ""


def _reset(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    return f"{deployment.stack.proxies.reset(fault.target)} ends"


def _cut(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    with deployment.redis() as connection:
        return f"{connection.execute_command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')} connections"


def _pause(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    with deployment.redis() as connection:
        connection.client_pause(round(fault.seconds * 1000))
    time.sleep(fault.seconds)
    return ""


def _duplicate(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    return _on_queue(fault, deployment, over, lambda connection, queue: _again(connection, queue, fault.count))


def _lose(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    return _on_queue(fault, deployment, over, lambda connection, queue: len(connection.lpop(queue, fault.count) or []))


def _on_queue(
    fault: Fault, deployment: Deployment, over: threading.Event, act: Callable[[redis.Redis, str], int]
) -> str:
    """Act as soon as there is a message in the queue."""
    give_up = time.monotonic() + _QUEUE_PATIENCE
    queue = deployment.stack.settings.key_prefix + "tasks"
    with deployment.redis() as connection:
        while time.monotonic() < give_up and not over.is_set():
            count = act(connection, queue)
            if count:
                return f"{count} messages"
            time.sleep(_QUEUE_PAUSE)
    return "the queue was empty"


def _again(connection: redis.Redis, queue: str, count: int) -> int:
    """Publish what lies in the queue once more, as a dispatcher does that died before it noted what it had done."""
    messages = connection.lrange(queue, 0, count - 1)
    for message in messages:
        copy = json.loads(message)
        copy["properties"]["delivery_tag"] = str(uuid.uuid4())
        copy["headers"]["id"] = copy["properties"]["correlation_id"] = str(uuid.uuid4())
        connection.lpush(queue, json.dumps(copy))
    return len(messages)


Strike = Callable[[Fault, Deployment, threading.Event], str]
_STRIKES: Mapping[Kind, Strike] = {
    Kind.KILL: _end,
    Kind.TERM: _end,
    Kind.FREEZE: _freeze,
    Kind.STORM: _storm,
    Kind.HANG: _hang,
    Kind.RESET: _reset,
    Kind.CUT: _cut,
    Kind.PAUSE: _pause,
    Kind.DUPLICATE: _duplicate,
    Kind.LOSE: _lose,
}
AWAY = (RedisError,)  # what a strike raises where there is nothing to strike
