"""The simulated services keep the contract of the real ones: the conformance suite, run against them."""

from tests.conformance.test_answers import *  # noqa: F403
from tests.conformance.test_refusals import *  # noqa: F403
