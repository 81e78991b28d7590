"""How long batches take, so that no work is done for callers who would be gone before the answer.

Under overload a queue in the order of arrival grows until every request in it is about to expire; each batch then is
computed for nothing, and the service answers nobody. So a request is refused at once when what is ahead of it takes
half of its time, and one whose time is shorter than a batch makes room for the others.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import ceil

from services.serving.errors import OverloadedError
from services.serving.lanes import Lane, Piece
from services.serving.moving import MovingMean

_SHARE = 0.5  # of a request's time that may pass in the queue; the rest is for its own batch and for surprises


class Pace:
    """A moving mean of the seconds of a batch, by model; 0 for a model of which nothing is known yet."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, MovingMean] = defaultdict(MovingMean)

    def observe(self, model: str, seconds: float) -> None:
        """Take a finished batch into account."""
        self._seconds[model].observe(seconds)

    def check(self, lanes: Iterable[Lane], rank: float, time_left: float | None) -> None:
        """Raises OverloadedError for a request of that rank when what waits ahead takes too much of its time (seconds).

        Without a queue everybody comes in: that is how a wrong mean is mended.
        """
        if time_left is None:
            return
        ahead = sum(self._seconds_of(lane, rank) for lane in lanes)
        if ahead > _SHARE * time_left:
            raise OverloadedError(
                f"the queue is too long for the deadline: about {ahead:.2g} s of work are ahead, and {time_left:.2g} s "
                "are left; try again later, or with more time"
            )

    def late(self, lane: Lane, now: float) -> list[Piece]:
        """Pieces whose deadline comes before the end of a batch that starts now."""
        return [piece for piece in lane.pieces if (at := piece.call.deadline) and at < now + self._batch(piece)]

    def _batch(self, piece: Piece) -> float:
        return self._seconds[piece.call.model.spec.name].value

    def _seconds_of(self, lane: Lane, rank: float) -> float:
        ahead = [piece for piece in lane.pieces if piece.rank[0] <= rank]
        rows = sum(len(piece.positions) for piece in ahead)
        return self._batch(ahead[0]) * ceil(rows / lane.limit) if ahead else 0.0
