"""A simulated model with trouble: answers as without it, but for the time that the file tells of."""

import time

import pytest

from services.serving.errors import OverloadedError, UnavailableError
from services.vlm.spec import CompleteRow
from tests.chaos.trouble import Trouble, troubled
from tests.simulation.settings import settings_of
from tests.simulation.vlm import SimulatedComplete

ROWS = [CompleteRow("a"), CompleteRow("b")]
PARAMETERS = {"max_new_tokens": 5}


def model(file):
    return troubled(SimulatedComplete(settings_of("vlm")()), file)


def test_without_trouble_it_answers_as_ever(tmp_path):
    plain = SimulatedComplete(settings_of("vlm")())
    assert model(tmp_path / "none").run(ROWS, PARAMETERS) == plain.run(ROWS, PARAMETERS)


@pytest.mark.parametrize(
    ("status", "error"), [("UNAVAILABLE", UnavailableError), ("RESOURCE_EXHAUSTED", OverloadedError)]
)
def test_a_storm_ends_every_batch_with_its_status(tmp_path, status, error):
    Trouble(time.monotonic() + 60, status=status).tell(tmp_path / "vlm")
    for _ in range(2):
        with pytest.raises(error):
            model(tmp_path / "vlm").run(ROWS, PARAMETERS)


def test_late_answers_are_late_and_the_same(tmp_path):
    expected = model(tmp_path / "none").run(ROWS, PARAMETERS)
    Trouble(time.monotonic() + 60, delay=0.2).tell(tmp_path / "vlm")
    started = time.monotonic()
    assert model(tmp_path / "vlm").run(ROWS, PARAMETERS) == expected
    assert time.monotonic() - started >= 0.2


def test_trouble_of_the_past_is_over(tmp_path):
    Trouble(time.monotonic() - 1, status="UNAVAILABLE").tell(tmp_path / "vlm")
    assert len(model(tmp_path / "vlm").run(ROWS, PARAMETERS)) == 2
