"""Weights that leave the device while a service is idle. Needs torch: import it late."""

from collections.abc import Callable

import torch
from torch import nn

from services.serving.faults import release_memory

_MAIN_MEMORY = torch.device("cpu")


class DeviceModules:
    """Modules and tensors that wait in main memory between `sleep` and `wake`: the `resident` of models they serve.

    Every tensor comes back to where it was when this was made, also where a module is spread over several devices;
    what lies on no device (accelerate's offload to disk) stays as it is. `forget` drops what else the models keep on
    the device, such as caches: every `sleep` calls it. A module whose parts are moved by somebody else (accelerate's
    offload to main memory) must not be among them.
    """

    def __init__(self, *parts: nn.Module | torch.Tensor, forget: Callable[[], None] = lambda: None) -> None:
        modules = [part for part in parts if isinstance(part, nn.Module)]
        tensors = [part for part in parts if isinstance(part, torch.Tensor)]
        tensors += [parameter for module in modules for parameter in module.parameters()]
        self.parts = parts
        self._tensors = [(tensor, tensor.device) for tensor in tensors if not tensor.is_meta]
        self._buffers = [
            (part, name, buffer.device)
            for module in modules
            for part in module.modules()
            for name, buffer in part.named_buffers(recurse=False)
            if not buffer.is_meta
        ]
        self._forget = forget

    def sleep(self) -> None:
        """Move the weights to main memory and give the device's memory back to others."""
        self._move(_MAIN_MEMORY)
        self._forget()
        release_memory()

    def wake(self) -> None:
        """Move the weights back."""
        self._move(None)

    def _move(self, target: torch.device | None) -> None:
        # Tensor by tensor and in place, as Module.to: it knows one device only, and quantised models refuse it.
        for tensor, home in self._tensors:
            tensor.data = tensor.data.to(target or home)
        for part, name, home in self._buffers:
            setattr(part, name, getattr(part, name).to(target or home))
