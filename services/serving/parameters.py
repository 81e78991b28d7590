"""Request parameters: the protocol's reserved ones (`priority`, `timeout`) and those of a spec."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from services.serving.errors import InvalidInputError
from services.serving.model import Parameters
from services.serving.spec import ModelSpec, ParameterSpec, ParameterValue

PRIORITY = "priority"
TIMEOUT = "timeout"


class Priority(IntEnum):
    """Levels of the schedule policy extension; 0 or nothing means the default, BULK."""

    INTERACTIVE = 1
    BULK = 2


@dataclass(frozen=True)
class RequestOptions:
    """What a request asks for beside its rows. `timeout` in seconds, None = the gRPC deadline alone."""

    parameters: Parameters
    priority: Priority
    timeout: float | None


def read_options(spec: ModelSpec[Any, Any], request: Any) -> RequestOptions:
    """Check and complete the parameters of a ModelInferRequest. Raises `InvalidInputError`."""
    sent = {name: _value(name, parameter) for name, parameter in request.parameters.items()}
    priority = _integer(PRIORITY, sent.pop(PRIORITY, 0), len(Priority))
    timeout = _integer(TIMEOUT, sent.pop(TIMEOUT, 0), None)
    known = {parameter.name: parameter for parameter in spec.parameters}
    for name in sent:
        if name not in known:
            allowed = ", ".join([*known, PRIORITY, TIMEOUT])
            raise InvalidInputError(f"parameter {name!r} is unknown; model {spec.name!r} takes {allowed}")
    values = {name: _checked(parameter, sent.get(name, parameter.default)) for name, parameter in known.items()}
    return RequestOptions(values, Priority(priority or Priority.BULK), timeout / 1e6 if timeout else None)


def default_parameters(spec: ModelSpec[Any, Any]) -> Parameters:
    """All parameters of a spec at their defaults."""
    return {parameter.name: parameter.default for parameter in spec.parameters}


def _value(name: str, parameter: Any) -> ParameterValue:
    kind = parameter.WhichOneof("parameter_choice")
    if kind is None:
        raise InvalidInputError(f"parameter {name!r} has no value")
    value: ParameterValue = getattr(parameter, kind)
    return value


def _integer(name: str, value: ParameterValue, high: int | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or (high is not None and value > high):
        rule = "an integer ≥ 0" if high is None else f"an integer from 0 to {high}"
        raise InvalidInputError(f"parameter {name!r} is {value!r}; it must be {rule}")
    return value


def _checked(spec: ParameterSpec, value: ParameterValue) -> ParameterValue:
    wanted = type(spec.default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise InvalidInputError(f"parameter {spec.name!r} is {value!r}; it must be of type {wanted.__name__}")
    if spec.choices and value not in spec.choices:
        raise InvalidInputError(f"parameter {spec.name!r} is {value!r}; it must be one of {', '.join(spec.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = -math.inf if spec.low is None else spec.low
        high = math.inf if spec.high is None else spec.high
        if not (low <= value <= high and math.isfinite(value)):
            raise InvalidInputError(f"parameter {spec.name!r} is {value}; it must lie in [{low:g}, {high:g}]")
    return value
