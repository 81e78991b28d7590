"""Which class handles which VLM: by the `model_type` of its configuration."""

from collections.abc import Callable

from services.subject.base import Subject

_families: dict[str, type[Subject]] = {}


def register(model_type: str) -> Callable[[type[Subject]], type[Subject]]:
    """Class decorator: the family of VLMs whose config has this `model_type`. Refuses doubles (ValueError)."""

    def add(family: type[Subject]) -> type[Subject]:
        if model_type in _families:
            raise ValueError(f"model type {model_type!r} belongs to {_families[model_type].__name__} already")
        _families[model_type] = family
        return family

    return add


def family_of(model_type: str) -> type[Subject]:
    """The family registered for `model_type`. Raises ValueError naming those there are."""
    if model_type not in _families:
        known = ", ".join(sorted(_families))
        raise ValueError(
            f"no subject for VLMs of type {model_type!r}: known are {known}; add a file to services/subject"
        )
    return _families[model_type]
