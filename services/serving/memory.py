"""Metrics of memory: what the process holds of the devices and of main memory, and which models are on a device."""

import resource
import sys
from collections.abc import Iterable, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from services.serving.residence import Residence

_KIB = 1 << 10
_OF_DEVICE = {
    "allocated": ("memory_allocated", "held by tensors now"),
    "reserved": ("memory_reserved", "taken from the device now: tensors and what torch keeps for later ones"),
    "peak": ("max_memory_allocated", "most that tensors held at once since the start"),
}


class MemoryCollector(Collector):
    """Read when asked for. `process_resident_memory_bytes` comes from the client library's ProcessCollector."""

    def __init__(self, residence: Residence, models: Sequence[str]) -> None:
        self._residence = residence
        self._models = models

    def collect(self) -> Iterable[Metric]:
        """All families of samples."""
        loaded = Metric("steerscope_model_loaded", "1 while the model's weights are on the device", "gauge")
        for name in self._models:
            loaded.add_sample(loaded.name, {"model": name}, float(self._residence.loaded(name)))
        yield loaded
        peak = Metric("steerscope_host_memory_peak_bytes", "most main memory that the process ever held", "gauge")
        peak.add_sample(peak.name, {}, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB)
        yield peak
        yield from _of_devices()


def _of_devices() -> Iterable[Metric]:
    """Nothing where torch or an accelerator is not in use: to ask must not start either."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return
    for what, (function, doc) in _OF_DEVICE.items():
        metric = Metric(f"steerscope_device_memory_{what}_bytes", f"memory of the device {doc}", "gauge")
        for device in range(torch.cuda.device_count()):
            metric.add_sample(metric.name, {"device": f"cuda:{device}"}, getattr(torch.cuda, function)(device))
        yield metric
