"""A clock that stands still until it is told to go on."""

START = 1_800_000_000_000_000  # microseconds; some day in 2027


class Clock:
    """Counts microseconds, as Redis's TIME does."""

    def __init__(self) -> None:
        self.microseconds = START

    def now(self) -> float:
        """The time as the scripts reckon it (`now()` in common.lua), to the last bit."""
        return self.microseconds // 1_000_000 + self.microseconds % 1_000_000 / 1_000_000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.microseconds += round(seconds * 1e6)
