"""Features on which α was chosen are no test of it: tables and figures leave them out, and say how many they were."""

from collections.abc import Sequence
from dataclasses import dataclass

from protos.v1.results_pb2 import FeatureResult


@dataclass(frozen=True)
class Reported:
    """The results that a report is about; how many validation features it leaves out, and how many it holds."""

    results: Sequence[FeatureResult]
    left_out: int
    included: int


def leave_out(results: Sequence[FeatureResult], keep: bool = False) -> Reported:
    """Without the validation features, unless the caller wants them (`keep`) or there are no others (a tuning job).

    An item that failed has no variants and is not known as a validation feature: it stays, and makes no others.
    """
    others = [result for result in results if not result.validation]
    validation = len(results) - len(others)
    if keep or not any(result.variants for result in others):
        return Reported(results, left_out=0, included=validation)
    return Reported(others, left_out=validation, included=0)


def note(features: int, left_out: int, included: int) -> str:
    """What a reader must know of the validation features among `features` reported ones; empty without any."""
    if left_out:
        return f"{left_out} validation features are left out: α was chosen on them."
    if included and included == features:
        return "All of these are validation features: α was chosen on them, so these figures are no test of it."
    if included:
        return f"{included} of these are validation features: α was chosen on them, so these figures flatter it."
    return ""
