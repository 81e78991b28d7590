"""All studies in the order of the report; each is made, or says what it lacks."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from orchestrator.analysis.studies import (
    agreement,
    best,
    context,
    cost,
    explain_sets,
    explainers,
    levels,
    meanings,
    outcomes,
    pairs,
    scores,
)
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, MissingInputError, NotMade, Outcome, Study


class Maker(NamedTuple):
    """A study by its heading; `make` raises MissingInputError."""

    heading: Heading
    make: Callable[[Material], Study]


STUDIES = tuple(
    Maker(study.HEADING, study.make)
    for study in (
        scores, pairs, agreement, context, explainers, explain_sets, best, levels, meanings, outcomes, cost,
    )
)  # fmt: skip


def make_all(material: Material, progress: Callable[[str], None] = lambda _title: None) -> Iterator[Outcome]:
    """Every study of `material`; `progress` hears the title of each before it is begun."""
    for maker in STUDIES:
        progress(maker.heading.title)
        try:
            yield maker.make(material)
        except MissingInputError as missing:
            yield NotMade(maker.heading, missing.because, missing.remedy)
