"""The dictionary_learning package as a reference, without nnsight, which it imports for its own activation buffers.

nnsight changes torch for the whole process: after its import torch.jit compiles SAM 2's transforms no more.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


def dictionary_learning(module: str) -> Any:
    """The module `dictionary_learning.<module>`."""
    stand_in = ModuleType("nnsight")
    stand_in.LanguageModel = object  # type: ignore[attr-defined]
    sys.modules["nnsight"] = stand_in
    try:
        return importlib.import_module(f"dictionary_learning.{module}")
    finally:
        del sys.modules["nnsight"]
