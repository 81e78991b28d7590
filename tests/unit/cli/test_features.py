"""How features are chosen on the command line."""

import pytest

from orchestrator.cli.console import CommandError
from orchestrator.cli.features import FeatureChoice
from protos.v1.jobs_pb2 import JobSpec


def chosen(listed=None, sample=None, everything=False, seed=None) -> JobSpec:
    spec = JobSpec()
    FeatureChoice(listed, sample, everything, seed).write(spec)
    return spec


def test_ids_and_ranges_are_joined_and_sorted():
    assert list(chosen("17, 3,5-7,6").feature_ids) == [3, 5, 6, 7, 17]


def test_one_range_stays_a_range():
    span = chosen("40-55").feature_range
    assert (span.start, span.stop) == (40, 56)


def test_a_sample_has_its_seed():
    sample = chosen(sample=8, seed=5).feature_sample
    assert (sample.count, sample.seed) == (8, 5)


def test_all():
    assert chosen(everything=True).all_features


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one"),
        ({"listed": "1", "sample": 2}, "exactly one"),
        ({"listed": "1,x"}, "'x' is neither"),
        ({"listed": "9-5"}, "write it as 5-9"),
        ({"listed": " , "}, "is empty"),
    ],
)
def test_bad_choices_are_refused_with_the_remedy(given, message):
    with pytest.raises(CommandError, match=message):
        chosen(**given)
