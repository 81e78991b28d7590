"""Which models' weights are on the device: they leave it when the service is idle and come back for the next batch."""

import logging
import time
from collections.abc import Sequence

from services.serving.errors import OutOfMemoryError
from services.serving.faults import Fault, fault_of, release_memory
from services.serving.registry import Model

logger = logging.getLogger(__name__)


class Residence:
    """`wake` and `sleep` are for the compute thread, the rest for the event loop; `loaded` for any thread.

    The service is idle as a whole: its models may share weights, so that none may leave while another is in use.
    """

    def __init__(self, idle_seconds: float | None = None) -> None:
        self._idle_seconds = idle_seconds
        self._models: Sequence[Model] = ()
        self._asleep: set[str] = set()
        self._since = time.monotonic()

    def install(self, models: Sequence[Model]) -> None:
        """The models that were just loaded; lazy ones count as asleep."""
        self._models = models
        self._asleep = {model.spec.name for model in models if model.lazy}
        self.touch()

    def touch(self) -> None:
        """Something was computed: idleness counts from now."""
        self._since = time.monotonic()

    @property
    def due(self) -> float | None:
        """When the models may leave the device, in `time.monotonic` seconds; None if never or if they have."""
        if self._idle_seconds is None or len(self._asleep) == len(self._models):
            return None
        return self._since + self._idle_seconds

    def loaded(self, name: str) -> bool:
        """Whether the weights of a model are on the device."""
        return any(model.spec.name == name for model in self._models) and name not in self._asleep

    def wake(self, model: Model) -> None:
        """Bring a model's weights back if they are away. Raises `OutOfMemoryError`, and what the model raises."""
        name = model.spec.name
        if name not in self._asleep:
            return
        started = time.monotonic()
        if not _fits(model):
            model.sleep()  # what came back already must not fill the device
            release_memory()
            raise OutOfMemoryError(
                f"model {name!r} finds no room on the device; try again later, or give services that share it "
                f"idle_unload_seconds and max_device_memory_gib"
            )
        self._asleep.discard(name)
        logger.info("model %s: its weights are on the device after %.1f s", name, time.monotonic() - started)

    def sleep(self) -> None:
        """Send the weights of all models away. Raises what a model raises; that one then counts as awake."""
        for model in self._models:
            if model.spec.name not in self._asleep:
                model.sleep()
                self._asleep.add(model.spec.name)
                logger.info("model %s: its weights left the device, the service is idle", model.spec.name)


def _fits(model: Model) -> bool:
    try:
        model.wake()
    except Exception as error:
        if fault_of(error) is not Fault.OUT_OF_MEMORY:
            raise
        logger.warning("model %s: no memory for its weights (%s)", model.spec.name, str(error))
        return False
    return True
