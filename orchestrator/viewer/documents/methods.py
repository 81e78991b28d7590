"""How methods and scores are told to people: label, role, colour, and what a figure means."""

from collections.abc import Iterable
from typing import Any

from orchestrator.analysis.frame import SCORES
from orchestrator.analysis.methods import Role, method_of
from orchestrator.analysis.report.columns import COLUMNS, SCORE_LABELS, label_of
from orchestrator.pipeline.variants import AT, VARIANTS

_HELP = {column.key: column.help for column in COLUMNS}
_HELP["auroc"] = "generated images against random test images, for this feature"


def method_documents(names: Iterable[str]) -> list[dict[str, Any]]:
    """`{id, label, role, slot, steered, informed}` of each variant; `slot` is the colour's name in `tokens.css`."""
    return [_method(name) for name in names]


def _method(name: str) -> dict[str, Any]:
    base, role = name.partition(AT)[0], method_of(name).role
    kind = VARIANTS.get(base)
    return {
        "id": name,
        "label": label_of(name),
        "role": str(role),
        "slot": "given" if role is Role.GIVEN else base,
        "steered": kind is not None and kind.steered,
        "informed": kind is not None and kind.informed,
    }


def score_documents(present: Iterable[str]) -> list[dict[str, str]]:
    """`{id, label, help}` of the scores that a job has, in the house's order."""
    wanted = set(present)
    return [
        {"id": name, "label": SCORE_LABELS.get(name, name), "help": _HELP.get(name, "")}
        for name in SCORES
        if name in wanted
    ]
