"""Are the texts right? Attribute recall and precision against a known truth, where the profile names a judge."""

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import pandas as pd

Attributes = Mapping[str, str]


class Judge(Protocol):
    """Knows what features truly respond to and what a text names (a world with truth; the profile's `judge`)."""

    def interpretable(self) -> Sequence[int]:
        """Features with at least one true attribute."""
        ...

    def truth_texts(self) -> Mapping[int, str]:
        """A text made from the true attributes of each interpretable feature."""
        ...

    def attributes(self, text: str) -> Attributes:
        """What a text names, e.g. {"color": "red", "shape": "star"}."""
        ...

    def true_attributes(self, feature: int) -> Attributes:
        """What the feature responds to, in the same terms."""
        ...


@dataclass(frozen=True)
class Verdict:
    """Recall = true attributes named / true attributes; precision = named attributes that are true / named.

    Counted over all judged texts together; None where nothing was to be counted.
    """

    recall: float | None
    precision: float | None


def load_judge(section: Mapping[str, Any]) -> Judge | None:
    """The judge of a profile's [judge] section, `class = "package.module:Class"`; None for a section without one.

    Raises ImportError or AttributeError for a class that is not there.
    """
    return cast(Judge, pkgutil.resolve_name(section["class"])()) if "class" in section else None


@dataclass(frozen=True)
class Tally:
    """One text: true attributes that it names, true attributes, attributes that it names."""

    hits: int
    true: int
    named: int


def tally(feature: int, text: str, judge: Judge) -> Tally:
    """Count one text's attributes; an empty text names nothing. Only for interpretable features."""
    truth, said = judge.true_attributes(feature), judge.attributes(text)
    return Tally(sum(said.get(family) == word for family, word in truth.items()), len(truth), len(said))


def verdict(frame: "pd.DataFrame", judge: Judge) -> Verdict:
    """Judge the texts of one variant's rows, interpretable features only; an empty text names nothing."""
    known = set(judge.interpretable())
    pairs = zip(frame["feature"], frame["text"], strict=True)
    tallies = [tally(feature, text or "", judge) for feature, text in pairs if feature in known]
    hits, true, named = (sum(getattr(one, name) for one in tallies) for name in ("hits", "true", "named"))
    return Verdict(recall=hits / true if true else None, precision=hits / named if named else None)
