"""What it was measured on."""

import platform
from dataclasses import dataclass
from importlib.metadata import version

import torch

_PACKAGES = ("torch", "transformers", "diffusers", "sam2", "open-clip-torch")


@dataclass(frozen=True)
class Machine:
    """`accelerator` is "" where there is none."""

    accelerator: str
    processor: str
    versions: str

    @staticmethod
    def here() -> "Machine":
        gpu = ""
        if torch.cuda.is_available():
            found = torch.cuda.get_device_properties(0)
            gpu = f"{found.name}, {found.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _PACKAGES)]
        return Machine(gpu, platform.processor() or platform.machine(), " · ".join(versions))
