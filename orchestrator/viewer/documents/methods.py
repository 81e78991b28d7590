"""How methods and scores are told to people: label, family (which decides the colour), and what a figure means."""

from collections.abc import Iterable
from typing import Any

from orchestrator.analysis.frame import SCORES
from orchestrator.analysis.report.columns import ANCHORS, COLUMNS, SCORE_LABELS, label_of
from orchestrator.pipeline.variants import AT, CONTROLS, VARIANTS

_HELP = {column.key: column.help for column in COLUMNS}
_HELP["auroc"] = "generated images against random test images, for this feature"


def method_documents(names: Iterable[str]) -> list[dict[str, Any]]:
    """`{id, label, family, slot, steered, informed}` of each variant; `slot` is the colour's name."""
    return [_method(name) for name in names]


def _method(name: str) -> dict[str, Any]:
    base = name.partition(AT)[0]
    kind = VARIANTS.get(base)
    return {
        "id": name,
        "label": label_of(name),
        "family": _family(base),
        "slot": base if base in VARIANTS or base in ANCHORS else "given",
        "steered": kind is not None and kind.steered,
        "informed": kind is not None and kind.informed,
    }


def _family(base: str) -> str:
    if base in ANCHORS:
        return "anchor"
    if base in CONTROLS:
        return "control"
    if base not in VARIANTS:
        return "given"
    return base.partition("_")[0]


def score_documents(present: Iterable[str]) -> list[dict[str, str]]:
    """`{id, label, help}` of the scores that a job has, in the house's order."""
    wanted = set(present)
    return [
        {"id": name, "label": SCORE_LABELS.get(name, name), "help": _HELP.get(name, "")}
        for name in SCORES
        if name in wanted
    ]
