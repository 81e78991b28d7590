"""A moving mean: how long things of a kind have taken lately."""

_WEIGHT = 0.3  # of the newest


class MovingMean:
    """Exponentially weighted; `value` is 0 while nothing is known."""

    def __init__(self) -> None:
        self.value = 0.0
        self._known = False

    def observe(self, seconds: float) -> None:
        """Take one more into account."""
        self.value += (_WEIGHT if self._known else 1.0) * (seconds - self.value)
        self._known = True
