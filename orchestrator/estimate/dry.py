"""The pipeline's own parts, without effects: a store and a cache that write nothing, calls that make nobody compute."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from PIL import Image

from orchestrator.deps import Deps
from orchestrator.estimate.tally import MARK, Tally
from orchestrator.remote import Calls, Fault
from orchestrator.store import ArtifactStore, Codec, StageCache
from services.generator.spec import GENERATE, Generated
from services.sae.spec import FEATURES
from services.serving.images import pixels_of, to_png
from services.serving.parameters import Priority
from services.serving.spec import ModelSpec, ParameterValue, Result, Row
from services.vlm.spec import EXPLAIN, Explanation

_MODELS = {"feature_rows": "sae.features", "explain": "vlm.explain"}  # other stages name theirs
_SIDE = 16
_TIMEOUT, _RETRY_SECONDS = 60.0, 2.0


class DryStore(ArtifactStore):
    """Reads what is there; what is put is kept in memory only, for as long as the rehearsal lasts."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes:
        return self._kept[name] if name in self._kept else super().get(name)

    def exists(self, name: str) -> bool:
        return name in self._kept or super().exists(name)

    def _write(self, name: str, data: bytes, *, replace: bool) -> None:
        self._kept[name] = data


class DryCache(StageCache):
    """Looks up and counts; what is computed is not kept."""

    def __init__(self, store: ArtifactStore, tally: Tally) -> None:
        super().__init__(store)
        self._tally = tally

    def cached(self, stage: str, inputs: Mapping[str, Any], codec: Codec[Any], compute: Callable[[], Any]) -> Any:
        found = self.find(self.key(stage, inputs), codec)
        if found is None:
            return compute()
        model = _MODELS.get(stage, inputs.get("model"))
        if model is not None:
            self._tally.spare(str(model), _rows_of(inputs))
        return found


def _rows_of(inputs: Mapping[str, Any]) -> int:
    """How many rows a stage's call has: a row per seed or image where it has some, but an explanation is one row."""
    if "vlm.explain" in inputs:
        return 1
    return len(inputs.get("seeds") or inputs.get("images") or (1,))


@dataclass(frozen=True)
class DryCalls(Calls):
    """Counts what is asked; answers where the way would end otherwise, and refuses where it goes on without.

    Only features' directions are really looked up: without them no key of an explanation is known.
    """

    tally: Tally = field(default_factory=Tally)

    def infer(
        self,
        service: str,
        spec: ModelSpec[Row, Result],
        rows: Sequence[Row],
        parameters: Mapping[str, ParameterValue] | None = None,
    ) -> list[Result]:
        if not rows:
            return []
        self.tally.ask(f"{service}.{spec.name}", len(rows), guessed=any(map(_is_guess, rows)))
        name = spec.name
        if name == EXPLAIN.name:
            answers: list[Any] = [Explanation(self.tally.name_text(), 1, 0.0, False) for _ in rows]
        elif name == GENERATE.name:
            answers = [Generated(_PICTURE) for _ in rows]
        elif name == FEATURES.name:
            return super().infer(service, spec, rows, parameters)  # a line of a table, on which the cache's keys hang
        else:
            raise Fault("a rehearsal asks nobody")  # its piece is missing, and the feature goes on without
        return answers


@dataclass(frozen=True)
class DryDeps(Deps):
    """What handlers get, in a rehearsal."""

    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, deps: Deps) -> DryDeps:
        """Beside the real ones, whose indexes it shares."""
        return cls(deps.settings, DryStore(deps.store.url), deps.clients, deps.indexes, Tally())

    @cached_property
    def cache(self) -> StageCache:
        return DryCache(self.store, self.tally)

    def calls(
        self, cancelled: Callable[[], bool], versions: Mapping[str, str], priority: Priority = Priority.BULK
    ) -> Calls:
        return DryCalls(self.clients, _TIMEOUT, _RETRY_SECONDS, cancelled, priority, versions, self.tally)


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE), (1, 2, 3)).save(buffer, format="PPM")
    return buffer.getvalue()


def _is_guess(row: Any) -> bool:
    """Whether the row hangs on a text that is not known: it names the text, or shows what was drawn of it."""
    text = getattr(row, "prompt", "") or getattr(row, "text", "")
    return MARK in text or getattr(row, "image", None) == _DRAWN


_PICTURE = _picture()
_DRAWN = to_png(pixels_of(_PICTURE))  # as the pipeline keeps it
