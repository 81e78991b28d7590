"""Lets the registry's torchvision (linked to CUDA torch) be imported beside a CPU-only torch.

Its C++ library then fails to load and the import dies on two missing operator schemas (`torchvision::nms`, `::qnms`).
The finder below first tries the library; only where that fails it declares the two schemas, which nothing here calls.
"""

import importlib.machinery
import pathlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

_declared: list[Any] = []  # keeps the library alive: the schemas vanish with it


class _TorchvisionFinder(MetaPathFinder):
    """Runs once, when torchvision is first imported, then removes itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            _load_or_declare(pathlib.Path(spec.origin).parent)
        return None


def _load_or_declare(folder: pathlib.Path) -> None:
    import torch

    try:
        for library in folder.glob("_C*.so"):
            torch.ops.load_library(str(library))
    except OSError:
        fragment = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            fragment.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(fragment)


def install() -> None:
    """Register the finder; does nothing if torchvision is already imported or the finder already waits."""
    waiting = any(isinstance(finder, _TorchvisionFinder) for finder in sys.meta_path)
    if "torchvision" not in sys.modules and not waiting:
        sys.meta_path.insert(0, _TorchvisionFinder())
