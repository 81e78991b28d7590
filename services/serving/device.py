"""Where a service computes, in which precision and in how much memory. Needs torch: import it late."""

import torch

_GIB = 1 << 30
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """The device of the setting `device`; `auto` is the accelerator if there is one. Raises ValueError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"setting 'device': {name!r} is no device; give auto, cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"setting 'device': {name!r} was asked for, but torch sees no GPU; give cpu or auto")
    return device


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision of the setting `dtype`; `auto` is float32 on a CPU and bfloat16 elsewhere. Raises ValueError."""
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if name not in _DTYPES:
        raise ValueError(f"setting 'dtype': {name!r} is unknown; give auto, {', '.join(_DTYPES)}")
    return _DTYPES[name]


def limit_memory(name: str, gibibytes: float) -> None:
    """Let this process take no more of the device's memory; above it torch is out of memory, and batches are halved.

    `name` is the setting `device`. A CPU has no such bound. Raises ValueError.
    """
    device = resolve_device(name)
    if device.type != "cuda":
        return
    index = torch.cuda.current_device() if device.index is None else device.index  # torch takes no plain "cuda" here
    total = torch.cuda.get_device_properties(index).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gibibytes * _GIB / total), index)
