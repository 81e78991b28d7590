"""Telling apart what a model may raise: out of memory, a lost device, or a plain fault. Does not import torch."""

import gc
import sys
import uuid
from enum import Enum

from services.serving.errors import OutOfMemoryError

_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)
_DEVICE_WORDS = (
    "cuda error",
    "hip error",
    "cublas_status_",
    "cudnn_status_",
    "device-side assert",
    "unspecified launch failure",
)


class Fault(Enum):
    """What an exception from a model means for the service."""

    OUT_OF_MEMORY = "out of memory"
    DEVICE_LOST = "device lost"
    INTERNAL = "internal"


def fault_of(error: BaseException) -> Fault:
    """Sort an exception. After an asynchronous device error nothing on the device can be trusted any more."""
    torch = sys.modules.get("torch")
    text = str(error).lower()
    if isinstance(error, MemoryError | OutOfMemoryError):
        return Fault.OUT_OF_MEMORY
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return Fault.OUT_OF_MEMORY
    if not isinstance(error, RuntimeError):
        return Fault.INTERNAL
    if any(words in text for words in _MEMORY_WORDS):
        return Fault.OUT_OF_MEMORY
    if any(words in text for words in _DEVICE_WORDS):
        return Fault.DEVICE_LOST
    return Fault.INTERNAL


def release_memory() -> None:
    """Give back what the failed batch held; frames of its traceback must be gone by now."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def error_id() -> str:
    """The reference that a caller gets instead of internals, and that the log repeats."""
    return uuid.uuid4().hex[:12]
