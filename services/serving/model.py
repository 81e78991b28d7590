"""`ServedModel`: what a service implements; the shell around it does everything else."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, Protocol

from services.serving.spec import ModelSpec, ParameterValue, Result, Row

Parameters = Mapping[str, ParameterValue]


class Resident(Protocol):
    """What holds memory of the device and can give it back; both may be called twice in a row."""

    def sleep(self) -> None:
        """Leave the device."""

    def wake(self) -> None:
        """Come back, to answer exactly as before."""


class ServedModel(ABC, Generic[Row, Result]):
    """A model behind a spec.

    `version` is a short hash of everything that its results depend on (weights, settings): it travels as the model's
    OIP version and goes into every stage key. `facts` are what callers may need to know (layer, grid, widths);
    they travel in ModelConfig.parameters. `memory_advice` tells the caller of a row that does not fit into memory which
    settings need less. `resident` holds the weights, so that the service can send them away while it is idle
    (`services.serving.device_modules` for torch); models may share one.
    """

    spec: ModelSpec[Row, Result]
    version: str
    facts: Mapping[str, str]
    memory_advice: str = "lower images_per_pass where the service has it, or take a smaller model or another dtype"
    resident: Resident | None = None
    lazy: bool = False  # whether the first request's `wake` loads the model

    @abstractmethod
    def run(self, rows: Sequence[Row], parameters: Parameters) -> Sequence[Result]:
        """Results in the order of `rows`; called from one thread at a time, with rows of one bucket.

        All parameters of the spec are present, checked, with defaults filled in. Image fields hold
        `services.serving.images.Picture` (bytes with decoded pixels). Rows must not influence one another.
        Raises `InvalidInputError` when a row is bad; if one batch holds several requests, the shell then runs
        them one by one, so that a bad row costs only its own request.
        """

    def bucket(self, row: Row, parameters: Parameters) -> Hashable:
        """Rows with equal buckets (and equal parameters) may share a batch; default: all.

        Called at admission from the decoding threads, also while `run` runs: it must be quick and thread-safe.
        """
        return None

    def warm_up(self) -> Iterable[Sequence[Row]]:
        """Synthetic batches, one per bucket worth warming, run before the service is ready; default: none."""
        return ()

    def special_tokens(self) -> frozenset[str]:
        """Strings that a PROMPT must not contain; default: none."""
        return frozenset()

    def sleep(self) -> None:
        """Give the device's memory back. Called in the compute thread between batches, when the service is idle."""
        if self.resident is not None:
            self.resident.sleep()

    def wake(self) -> None:
        """Undo `sleep`: called in the compute thread before the next batch. Results must be the same as before."""
        if self.resident is not None:
            self.resident.wake()
