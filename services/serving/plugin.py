"""Classes that stand behind a spec by configuration only: nothing in the code names them."""

import hashlib
import inspect
import json
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

Choice = TypeVar("Choice")


def instantiate(path: str, options: Mapping[str, Any]) -> Any:
    """`path` ("package.module:ClassName") called with `options` as keyword arguments.

    Raises ValueError if the path names nothing that can be called, or if it refuses the options.
    """
    try:
        factory = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"backend {path!r} cannot be loaded ({error}); give package.module:ClassName") from error
    if not callable(factory):
        raise ValueError(f"backend {path!r} is not a class; give package.module:ClassName")
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        raise ValueError(f"backend_options of {path!r}: {error}") from error
    return factory(**options)


def identity(instance: Any, path: str, options: Mapping[str, Any]) -> str:
    """A hash (12 hex) of what the answers of a configured class depend on.

    Its own `version` attribute where it has one, else the source file of its class; and path and options.
    """
    version = getattr(instance, "version", None)
    if version is None:
        source = inspect.getsourcefile(type(instance))
        version = hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""
    parts = json.dumps([path, dict(options), str(version)], sort_keys=True, default=str)
    return hashlib.sha256(parts.encode()).hexdigest()[:12]


def choose(backend: str, known: Mapping[str, Choice], configured: Choice) -> Choice:
    """What makes the backend that a setting names: one of `known`, or `configured` for a `module:ClassName`.

    Raises ValueError for another name.
    """
    if ":" in backend:
        return configured
    if backend not in known:
        raise ValueError(f"setting 'backend': {backend!r} is unknown; give {', '.join(known)} or module:ClassName")
    return known[backend]
