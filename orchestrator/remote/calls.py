"""`Calls`: one item's calls to the services. Faults become one of three: retried here, released, or typed outcomes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.jobs.model import CancelledItem, TransientError
from orchestrator.remote.clients import Service, ServiceClients
from orchestrator.remote.observed import observed
from services.serving.errors import (
    CancelledError,
    ExpiredError,
    InvalidInputError,
    OverloadedError,
    ServingError,
    UnavailableError,
)
from services.serving.parameters import Priority
from services.serving.spec import ModelSpec, ParameterValue, Result, Row

_TRANSIENT = (UnavailableError, OverloadedError, ExpiredError)
_SLICE_SECONDS = 0.25
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Fault(Exception):  # noqa: N818 -- the word of the protocol: an answer, not a bug
    """A service refused these rows for good (a bad input, a changed model); the message may be shown to users."""


class RefusedInput(Fault):
    """The rows themselves are at fault."""


@dataclass(frozen=True)
class Calls:
    """Calls of one item under its budget of time, its cancellation and its priority.

    `versions` maps "service.model" to the version that the plan was made with; a service that holds another refuses.
    """

    clients: ServiceClients
    timeout: float
    retry_seconds: float
    cancelled: Callable[[], bool]
    priority: Priority = Priority.BULK
    versions: Mapping[str, str] = field(default_factory=dict)

    def infer(
        self,
        service: str,
        spec: ModelSpec[Row, Result],
        rows: Sequence[Row],
        parameters: Mapping[str, ParameterValue] | None = None,
    ) -> list[Result]:
        """Results in the order of `rows`. Raises Fault, TransientError (budget used up) or CancelledItem.

        A service that is down, full or late is tried again with growing, jittered pauses for `retry_seconds`.
        """
        if not rows:
            return []
        client = self.clients.get(service)
        pause, give_up = _FIRST_PAUSE, None
        while True:
            self.check()
            try:
                self._await_ready(service, client)
                with observed(service, spec.name, len(rows)):
                    return client.infer(
                        spec,
                        rows,
                        timeout=self.timeout,
                        parameters=parameters,
                        cancelled=self.cancelled,
                        priority=self.priority,
                        version=self.versions.get(f"{service}.{spec.name}", ""),
                    )
            except CancelledError as error:
                self.check()
                raise TransientError(f"{service}: {error}") from error
            except _TRANSIENT as error:
                give_up = give_up or time.monotonic() + self.retry_seconds
                if time.monotonic() + pause > give_up:
                    raise TransientError(f"{service}: {error}") from error
            except (InvalidInputError, ValueError) as error:  # ValueError: the client's own check of the rows
                raise RefusedInput(f"{service}: {error}") from error
            except ServingError as error:
                raise Fault(f"{service}: {error}") from error
            self._sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def check(self) -> None:
        """Raise CancelledItem if the item is not wanted any more."""
        if self.cancelled():
            raise CancelledItem

    def _await_ready(self, service: str, client: Service) -> None:
        """A call to a service that is down would wait its whole timeout: look first, for the retry budget only."""
        give_up = time.monotonic() + self.retry_seconds
        while not client.ready(1.0):
            self.check()
            if time.monotonic() >= give_up:
                raise TransientError(f"{service}: not ready for {self.retry_seconds:g} s")

    def _sleep(self, seconds: float) -> None:
        wake = time.monotonic() + seconds
        while (left := wake - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, _SLICE_SECONDS))
