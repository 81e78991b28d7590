"""Request parameters: defaults are filled in, types and ranges held, reserved names understood."""

import pytest

from services.serving.codec import set_parameter
from services.serving.errors import InvalidInputError
from services.serving.oip import pb
from services.serving.parameters import Priority, default_parameters, read_options
from tests.unit.serving.toy import TOY

DEFAULTS = {"steps": 3, "strength": 0.5, "manner": "kind", "loud": False}


def options(**parameters):
    request = pb.ModelInferRequest()
    for name, value in parameters.items():
        set_parameter(request.parameters[name], value)
    return read_options(TOY, request)


def test_without_parameters_there_are_the_defaults():
    read = options()
    assert read.parameters == DEFAULTS == default_parameters(TOY)
    assert (read.priority, read.timeout) == (Priority.BULK, None)


def test_given_values_replace_defaults():
    read = options(steps=10, strength=1, manner="rude", loud=True, priority=1, timeout=1_500_000)
    assert read.parameters == {"steps": 10, "strength": 1.0, "manner": "rude", "loud": True}
    assert isinstance(read.parameters["strength"], float)
    assert (read.priority, read.timeout) == (Priority.INTERACTIVE, 1.5)


def test_unsigned_values_are_understood():
    request = pb.ModelInferRequest()
    request.parameters["steps"].uint64_param = 4
    request.parameters["priority"].uint64_param = 2
    read = read_options(TOY, request)
    assert (read.parameters["steps"], read.priority) == (4, Priority.BULK)


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({"noise": 1}, "'noise' is unknown; model 'toy' takes steps, strength, manner, loud, priority, timeout"),
        ({"steps": 0}, r"'steps' is 0; it must lie in \[1, 10\]"),
        ({"steps": 11}, "'steps' is 11"),
        ({"steps": 2.0}, "'steps' is 2.0; it must be of type int"),
        ({"steps": True}, "'steps' is True; it must be of type int"),
        ({"steps": "2"}, "'steps' is '2'; it must be of type int"),
        ({"strength": float("nan")}, "'strength' is nan"),
        ({"strength": 1.01}, r"'strength' is 1.01; it must lie in \[0, 1\]"),
        ({"manner": "odd"}, "'manner' is 'odd'; it must be one of kind, rude"),
        ({"loud": 1}, "'loud' is 1; it must be of type bool"),
        ({"priority": 3}, "'priority' is 3; it must be an integer from 0 to 2"),
        ({"priority": -1}, "'priority' is -1"),
        ({"timeout": -5}, "'timeout' is -5; it must be an integer ≥ 0"),
        ({"timeout": "soon"}, "'timeout' is 'soon'"),
    ],
)
def test_breaches_are_refused_with_the_rule(parameters, rule):
    with pytest.raises(InvalidInputError, match=rule):
        options(**parameters)


def test_a_parameter_without_a_value_is_refused():
    request = pb.ModelInferRequest()
    request.parameters["steps"].SetInParent()
    with pytest.raises(InvalidInputError, match="'steps' has no value"):
        read_options(TOY, request)
