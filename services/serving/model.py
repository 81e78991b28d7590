"""`ServedModel`: what a service implements; the shell around it does everything else."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic

from services.serving.spec import ModelSpec, ParameterValue, Result, Row

Parameters = Mapping[str, ParameterValue]


class ServedModel(ABC, Generic[Row, Result]):
    """A model behind a spec.

    `version` is a short hash of everything that its results depend on (weights, settings): it travels as the model's
    OIP version and goes into every stage key. `facts` are what callers may need to know (layer, grid, widths);
    they travel in ModelConfig.parameters.
    """

    spec: ModelSpec[Row, Result]
    version: str
    facts: Mapping[str, str]

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
