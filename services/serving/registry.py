"""The models of a service by name, before and after they are loaded."""

from collections.abc import Sequence
from typing import Any

from services.serving.errors import UnavailableError, UnknownModelError
from services.serving.model import ServedModel
from services.serving.spec import ModelSpec

Spec = ModelSpec[Any, Any]
Model = ServedModel[Any, Any]


class Registry:
    """Knows the specs from the start; models come with `install`."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs: dict[str, Spec] = {spec.name: spec for spec in specs}
        self.models: dict[str, Model] = {}

    def install(self, models: Sequence[Model]) -> None:
        """Put the loaded models in. Raises ValueError unless there is exactly one for each spec."""
        names = sorted(model.spec.name for model in models)
        if names != sorted(self.specs):
            raise ValueError(f"the service must load {sorted(self.specs)}, but it loaded {names}")
        self.models = {model.spec.name: model for model in models}

    def model(self, name: str, version: str = "") -> Model:
        """The model of that name and version (empty: any).

        Raises `UnknownModelError`, or `UnavailableError` while models are being loaded.
        """
        if name not in self.specs:
            raise UnknownModelError(f"unknown model {name!r}; this service has {', '.join(self.specs)}")
        model = self.models.get(name)
        if model is None:
            raise UnavailableError(f"model {name!r} is being loaded; try again later")
        if version not in ("", model.version):
            raise UnknownModelError(f"model {name!r} has no version {version!r}; it is at {model.version!r}")
        return model
