"""A clock that stands still until it is told to go on, put in the place of the one that fakeredis reads."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest import mock

START = 1_800_000_000_000_000  # microseconds; some day in 2027
# Where fakeredis takes its TIME, expiries and stream ids from, and where retries of the database pause.
_PLACES = (
    "fakeredis._helpers.time",
    "fakeredis._socket._base.time",
    "fakeredis.commands_mixins.server_mixin.time",
    "fakeredis.model._stream.time",
    "tenacity.nap.time",
)


class Clock:
    """Counts microseconds, as Redis's TIME does."""

    def __init__(self) -> None:
        self.microseconds = START

    def time(self) -> float:
        """As `time.time`."""
        return self.microseconds / 1e6

    def now(self) -> float:
        """The time as the scripts reckon it (`now()` in common.lua), to the last bit."""
        return self.microseconds // 1_000_000 + self.microseconds % 1_000_000 / 1_000_000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.microseconds += round(seconds * 1e6)

    def sleep(self, seconds: float) -> None:
        """A pause between retries: how long does not matter, and a fixed one lets schedules repeat."""
        self.advance(0.001)

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Inside the block this is the clock of fakeredis and of retries, and of nothing else."""
        with ExitStack() as stack:
            for place in _PLACES:
                stack.enter_context(mock.patch(place, SimpleNamespace(time=self.time, sleep=self.sleep)))
            yield
