"""Shuffled batches of residuals with bounded memory, that can go on exactly where they were.

The images of an epoch, in an order made of (seed, epoch), are cut into *fills*. A fill's residuals and the few left
over from the fill before lie in one buffer; its batches are disjoint draws from all of it, in an order made of (seed,
epoch, fill). So every batch mixes all images of a fill, and a fill is known from its number and what was left over: a
checkpoint holds these and the batch's number, not the buffer, which is encoded again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from services.sae.training.dataset import Watch
from services.sae.training.reader import Group

_IMAGES, _PATCHES = 0, 1  # what a random order is of


class Reader(Protocol):
    """What the stream asks of a `ResidualReader`."""

    def read(self, wanted: Sequence[int], watch: Watch) -> Iterator[Group]: ...


@dataclass(frozen=True)
class StreamPlan:
    """What the batches depend on beside the images: patches per image, width, batch, buffer (in patches), …"""

    patches: int
    width: int
    batch: int
    epochs: int
    seed: int
    buffer: int

    def __post_init__(self) -> None:
        if self.images_per_fill < 1:
            raise ValueError(
                f"--buffer-gb: holds {self.buffer} patches; it must hold a batch of {self.batch} and "
                f"the {self.patches} of an image; give more, or a smaller --batch"
            )

    @property
    def images_per_fill(self) -> int:
        """With what may be left over, less than a batch, they fill the buffer."""
        return (self.buffer - self.batch + 1) // self.patches

    def steps(self, images: int) -> int:
        """Batches that so many images make; what is left at the very end, less than a batch, makes none."""
        return images * self.epochs * self.patches // self.batch


@dataclass
class Position:
    """Where the stream is: fill `fill` of `epoch`, `batch` of its batches given out; patches read before this fill."""

    epoch: int = 0
    fill: int = 0
    batch: int = 0
    before: int = 0
    refused: dict[int, str] = field(default_factory=dict)  # images found damaged before this fill


class ActivationStream:
    """Batches [b, d] in the reader's dtype, on `device`.

    `total`: steps of the whole run as far as the present fill tells; images not read yet count as good ones.
    """

    def __init__(
        self, reader: Reader, images: Sequence[int], plan: StreamPlan, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._reader, self._images, self._plan = reader, np.asarray(images), plan
        self._at = Position()
        self._carried = 0  # patches from the fill before, at the buffer's beginning
        self._filled = 0
        self._refused: dict[int, str] = {}  # with those of this fill
        rows = min(plan.buffer, len(images) * plan.patches + plan.batch)
        self._buffer = torch.empty(rows, plan.width, device=device, dtype=dtype)
        self.total = plan.steps(len(images))

    @property
    def filled(self) -> Tensor:
        """The residuals of the present fill [n, d]."""
        return self._buffer[: self._filled]

    @property
    def refused(self) -> Mapping[int, str]:
        """Images found damaged so far."""
        return self._refused

    def batches(self, watch: Watch) -> Iterator[Tensor]:
        """From the present position to the end. `watch` sees how a fill gets on."""
        while self._at.epoch < self._plan.epochs:
            fills = self._fills(self._order())
            if self._at.fill == len(fills):
                self._at = Position(epoch=self._at.epoch + 1, before=self._at.before, refused=self._at.refused)
                continue
            self._load(fills[self._at.fill], watch)
            self.total = self._count_steps(sum(map(len, fills[self._at.fill + 1 :])))
            draw = np.random.default_rng([self._plan.seed, _PATCHES, self._at.epoch, self._at.fill])
            order = torch.from_numpy(draw.permutation(self._filled)).to(self._buffer.device)
            *whole, rest = _cut(order, self._plan.batch)
            for number in range(self._at.batch, len(whole)):
                self._at.batch = number + 1
                yield self._buffer[whole[number]]
            self._turn(rest)

    def _order(self) -> Any:
        """The images of the present epoch: from the second one on without those found damaged."""
        order = np.random.default_rng([self._plan.seed, _IMAGES, self._at.epoch]).permutation(self._images)
        return order[~np.isin(order, list(self._at.refused))] if self._at.epoch else order

    def _fills(self, order: Any) -> list[Any]:
        count = -(-len(order) // self._plan.images_per_fill)
        return np.array_split(order, max(1, count))

    def _load(self, images: Any, watch: Watch) -> None:
        end, refused = self._carried, dict(self._at.refused)
        for group in self._reader.read(images.tolist(), watch):
            rows = group.residual.flatten(0, 1)
            self._buffer[end : end + len(rows)] = rows
            end += len(rows)
            refused |= group.refused
        self._filled, self._refused = end, refused

    def _count_steps(self, behind: int) -> int:
        """What is known already, `behind` images of this epoch, and the later epochs."""
        later = (self._plan.epochs - self._at.epoch - 1) * (len(self._images) - len(self._refused))
        known = self._at.before + self._filled - self._carried
        return (known + (behind + later) * self._plan.patches) // self._plan.batch

    def _turn(self, rest: Tensor) -> None:
        """Keep what is left over and go on to the next fill."""
        left = self._buffer[rest]
        self._buffer[: len(left)] = left
        before = self._at.before + self._filled - self._carried
        self._at = Position(self._at.epoch, self._at.fill + 1, before=before, refused=self._refused)
        self._carried = self._filled = len(left)

    def state(self) -> dict[str, Any]:
        """The position and what was left over from the fill before."""
        return {"at": vars(self._at).copy(), "total": self.total, "carried": self._buffer[: self._carried].clone()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        carried = state["carried"]
        self._at, self.total = Position(**state["at"]), state["total"]
        self._carried = self._filled = len(carried)
        self._buffer[: len(carried)] = carried
        self._refused = dict(self._at.refused)


def _cut(order: Tensor, batch: int) -> list[Tensor]:
    """Batches of an order, and last what is left over (maybe nothing)."""
    whole = len(order) // batch * batch
    return [*order[:whole].reshape(-1, batch), order[whole:]]
