"""Where the pictures and the reference scores of a job's features come from: the indexes and the artifact store."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from orchestrator.analysis.table import References
from orchestrator.index.reader import Index, IndexCache
from orchestrator.pipeline.grid import Grid
from orchestrator.pipeline.render import Interpolation, Pixels, Tint, heatmap, masked
from orchestrator.store import ArtifactNotFoundError, ArtifactStore
from protos.v1.results_pb2 import FeatureResult
from services.imagesets import ImageSetError
from services.serving.images import pixels_of


@dataclass(frozen=True)
class View:
    """One top image in the three ways a person looks at it, uint8 [h, w, 3] each."""

    path: str
    score: float
    raw: Pixels
    masked: Pixels
    heatmap: Pixels


@dataclass(frozen=True)
class Sources:
    """The indexes that a job had, the store of its artifacts, and how its heatmaps were drawn (`render.heatmap`)."""

    store: ArtifactStore
    explain: Index | None
    test: Index | None
    strength: float
    interpolation: Interpolation
    tint: Tint = "green"

    @classmethod
    def of(cls, result: FeatureResult, store: ArtifactStore, indexes: IndexCache | None = None) -> "Sources":
        """The sources that a result's provenance names. Raises LookupError if an index is not in the store.

        `indexes` are shared with others that read them; without, the index is read anew, wherever its images lie.
        """
        settings, indexes = result.provenance.settings, indexes or IndexCache(store)
        explain, test = (
            indexes.get(name) if name else None for name in (settings["explain_index"], settings["test_index"])
        )
        strength, interpolation = float(settings["heatmap_strength"]), settings["heatmap_interpolation"]
        tint = settings.get("heatmap_tint") or "green"  # results of before there was a choice do not name it
        return cls(store, explain, test, strength, cast(Interpolation, interpolation), cast(Tint, tint))

    def views(self, feature: int, count: int) -> list[View]:
        """The feature's top images as the explainer saw them, best first; an image gone from disk is left out."""
        if self.explain is None:
            return []
        grid = Grid.parse(self.explain.plan.grid)
        views = []
        for top in self.explain.top(feature, min(count, self.explain.plan.top_k)):
            try:
                raw = pixels_of(self.explain.read(top))
            except ImageSetError:
                continue
            activation = top.map(grid.patches)
            warm = heatmap(raw, activation, grid, self.strength, self.interpolation, self.tint)
            views.append(View(top.path, top.score, raw, masked(raw, activation, grid), warm))
        return views

    def picture(self, address: str) -> Pixels | None:
        """An image from the artifact store, or None if it is gone."""
        try:
            data = self.store.get(address)
        except ArtifactNotFoundError:
            return None
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.uint8)

    def references(self, features: Iterable[int]) -> References:
        """Per feature, S of the test set's reference sample: the negatives, float32 [r]."""
        if self.test is None:
            return {}
        scores: npt.NDArray[np.float32] = self.test.reference
        return {feature: scores[:, feature] for feature in features if feature < scores.shape[1]}
