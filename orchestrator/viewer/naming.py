"""Names for the map's clusters from a labeller, asked as the study of the map asks (20 members each), and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from orchestrator.labels.model import Labeller, Question
from orchestrator.store import JSON, StageCache
from orchestrator.viewer.atlas import Atlas

_STAGE = "viewer_names"


def ask_names(atlas: Atlas, texts: Mapping[int, str], labeller: Labeller, cache: StageCache) -> Atlas:
    """The atlas with a labeller's names; a cluster whose answer could not be read keeps the name of its words.

    Raises what the labeller raises.
    """
    asked = _questions(atlas, texts)

    def ask() -> dict[str, Any]:
        answers = labeller.ask([Question(*one) for one in asked])
        sources = {answer.source for answer in answers if answer.value}
        return {"names": {answer.key: answer.value for answer in answers if answer.value}, "sources": sorted(sources)}

    return _named(atlas, cache.cached(_STAGE, _inputs(asked), JSON, ask))


def kept_names(atlas: Atlas, texts: Mapping[int, str], cache: StageCache) -> Atlas:
    """The atlas with the names that were asked for before, if any were."""
    kept = cache.find(cache.key(_STAGE, _inputs(_questions(atlas, texts))), JSON)
    return atlas if kept is None else _named(atlas, kept)


def _questions(atlas: Atlas, texts: Mapping[int, str]) -> list[tuple[str, str, tuple[str, ...]]]:
    from orchestrator.analysis.studies.meanings import questions  # matplotlib: only where clusters are named

    members = [texts[feature] for feature in atlas.features.tolist()]
    return [(*one,) for one in questions(pd.DataFrame({"text": members, "cluster": atlas.cluster}))]


def _inputs(asked: list[tuple[str, str, tuple[str, ...]]]) -> dict[str, Any]:
    return {"questions": [[kind, key, list(texts)] for kind, key, texts in asked]}


def _named(atlas: Atlas, told: Mapping[str, Any]) -> Atlas:
    from orchestrator.analysis.studies.meanings import key_of

    names = tuple(told["names"].get(key_of(number), name) for number, name in enumerate(atlas.names))
    return replace(atlas, names=names, named_by=", ".join(told["sources"]) or atlas.named_by)
