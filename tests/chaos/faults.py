"""What each kind of fault does to a deployment. Returns when the fault is over; what ends then comes back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from orchestrator.jobs.database import Database
from orchestrator.jobs.keys import Keys
from orchestrator.jobs.reader import JobReader
from orchestrator.queue.app import make_app
from orchestrator.queue.tasks import publisher
from tests.chaos.deployment import Deployment
from tests.chaos.schedule import Fault, Kind
from tests.chaos.trouble import Trouble

_SIGNALS = {Kind.KILL: signal.SIGKILL, Kind.TERM: signal.SIGTERM}
_QUEUE_PATIENCE, _QUEUE_PAUSE = 2.0, 0.01


class NothingThereError(Exception):
    """There is nothing for this fault to strike."""


def strike(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    """Do it; a note of what came of it. `over` ends what lasts. Raises one of MISSED if there is nothing to strike."""
    return _STRIKES[fault.kind](fault, deployment, over)


def _end(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    if not deployment.end(fault.target, _SIGNALS[fault.kind], fault.seconds):
        raise NothingThereError("it was not there")
    return ""


def _freeze(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    with deployment.frozen(fault.target) as there:
        if not there:
            raise NothingThereError("it was not there")
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
    """Publish items of the newest job once more, whatever they are by now: as a dispatcher does that died, or slept,
    before it noted what it had published."""
    settings = deployment.stack.settings
    with closing(Database.connect(settings)) as database, make_app(settings) as app:
        reader = JobReader(database)
        newest, _ = reader.jobs(1)
        if not newest:
            raise NothingThereError("no job yet")
        publish = publisher(app, reader)
        items = [item.item for item in reader.items(newest[0])][-fault.count :]
        for item in items:
            publish(newest[0], item)
    return f"{len(items)} messages"


def _lose(fault: Fault, deployment: Deployment, over: threading.Event) -> str:
    """Take messages from the queue as soon as it holds some."""
    give_up, queue = time.monotonic() + _QUEUE_PATIENCE, Keys(deployment.stack.settings.key_prefix).queue
    with deployment.redis() as connection:
        while time.monotonic() < give_up and not over.is_set():
            lost = connection.lpop(queue, fault.count)
            if lost:
                return f"{len(lost)} messages"
            time.sleep(_QUEUE_PAUSE)
    raise NothingThereError("the queue was empty")


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
MISSED = (NothingThereError, RedisError, OperationalError)  # what a strike raises that found nothing, or no Redis
