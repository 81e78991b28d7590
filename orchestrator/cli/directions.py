"""Directions from files: numpy arrays and safetensors."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchestrator.cli.console import CommandError
from protos.v1.jobs_pb2 import Contrast, Direction

_TENSORS = ".safetensors"


def read_directions(location: str, name: str) -> list[Direction]:
    """The directions in a file: a vector, or the rows of a matrix, called `name[0]`, `name[1]` … (default: the file's).

    FILE.npy; FILE.safetensors with one tensor; FILE.safetensors:TENSOR. Raises CommandError.
    """
    file, array = _load(location)
    if array.ndim not in (1, 2) or not array.size or not np.issubdtype(array.dtype, np.number):
        shape = "×".join(map(str, array.shape)) or "a single value"
        raise CommandError(f"direction: {location} holds {shape} of {array.dtype}; give numbers, [d] or [n, d]")
    title = name or file.stem
    rows = array.astype(np.float32)
    if rows.ndim == 1:
        return [Direction(values=rows.tolist(), name=title)]
    return [Direction(values=row.tolist(), name=f"{title}[{place}]") for place, row in enumerate(rows)]


def contrast_direction(positive: str, negative: str, name: str) -> Direction:
    """The contrast of two places on the server's machine; folders that exist here are given as full paths."""
    sides = (str(Path(side).resolve()) if Path(side).exists() else side for side in (positive, negative))
    return Direction(contrast=Contrast(positive=next(sides), negative=next(sides)), name=name)


def _load(location: str) -> tuple[Path, npt.NDArray[np.generic]]:
    path, colon, tensor = location.partition(f"{_TENSORS}:")
    file = Path(path + _TENSORS if colon else location)
    try:
        if file.suffix == _TENSORS:
            return file, _tensor(file, tensor)
        if file.suffix == ".npy":
            return file, np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CommandError(f"direction: {file} cannot be read: {error}") from error
    raise CommandError(f"direction: {location!r} must be a .npy or {_TENSORS} file")


def _tensor(file: Path, name: str) -> npt.NDArray[np.generic]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            names = sorted(tensors.keys())
            chosen = name or (names[0] if len(names) == 1 else "")
            if chosen not in names:
                known = ", ".join(names) or "none"
                raise CommandError(f"direction: {file} holds {known}; name one as {file}:NAME")
            found: npt.NDArray[np.generic] = tensors.get_tensor(chosen)
            return found
    except (SafetensorError, TypeError) as error:  # TypeError: a dtype that numpy lacks, such as bfloat16
        raise CommandError(f"direction: {file}: {error}; save it as float32") from error
