"""Weights that leave the device while a service is idle. Needs torch: import it late."""

from collections.abc import Callable, Iterable

from torch import nn

from services.serving.faults import release_memory


class DeviceModules:
    """Modules that wait in main memory between `sleep` and `wake`: the `resident` of the models that they serve.

    Each comes back to where it was when this was made. `forget` drops what else the models keep on the device, such
    as caches: it is called by every `sleep`. A module whose parts are moved by somebody else (accelerate's offload)
    must not be among them.
    """

    def __init__(self, *modules: nn.Module, forget: Callable[[], None] = lambda: None) -> None:
        self._homes = [(module, tensor.device) for module in modules for tensor in _first_tensor(module)]
        self._forget = forget

    def sleep(self) -> None:
        """Move the weights to main memory and give the device's memory back to others."""
        for module, _ in self._homes:
            module.to("cpu")
        self._forget()
        release_memory()

    def wake(self) -> None:
        """Move the weights back."""
        for module, home in self._homes:
            module.to(home)


def _first_tensor(module: nn.Module) -> Iterable[nn.Parameter]:
    return list(module.parameters())[:1]
