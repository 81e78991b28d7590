"""Names of very many images in little memory."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import overload

import numpy as np


class _Names(Sequence[str]):
    """A sequence whose slices are tuples; subclasses say how many there are and what each is."""

    @abstractmethod
    def _name(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[str, ...]: ...
    def __getitem__(self, i: int | slice) -> str | tuple[str, ...]:
        if isinstance(i, slice):
            return tuple(self._name(one) for one in range(len(self))[i])
        return self._name(range(len(self))[i])


class PackedNames(_Names):
    """Names as one run of UTF-8: their bytes and 8 more each."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._text = b"".join(encoded)
        self._ends = np.fromiter(accumulate(map(len, encoded), initial=0), np.int64, len(encoded) + 1)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _name(self, i: int) -> str:
        return self._text[self._ends[i] : self._ends[i + 1]].decode("utf-8", "surrogateescape")


class RowNames(_Names):
    """`row-0`, `row-1`, …: rows have no names of their own."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def _name(self, i: int) -> str:
        return f"row-{i}"
