"""From a job to its atlas: compare the texts, lay them out, and keep the outcome in the artifact store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.client import JobsError
from orchestrator.pipeline.target import ROWS, rows_inputs
from orchestrator.store import ARRAYS, ArtifactStore, StageCache
from orchestrator.viewer.atlas import Atlas, Clusters, Layout, Near, chart
from orchestrator.viewer.job_view import JobView
from orchestrator.viewer.naming import kept_names

log = logging.getLogger(__name__)
FloatArray = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], FloatArray]  # n texts → [n, e]
FORMAT = 1  # raise it when the atlas of the same texts becomes another one
_WIDTH = 64  # of vectors made of words


@dataclass(frozen=True)
class Cartographer:
    """What an atlas is made with. Without `embed`, or where it fails, texts are compared by the words they share.

    `layout` takes vectors float32 [n, e] to places [n, 2], `clusters` to numbers int64 [n], `embed` n texts to vectors.
    """

    layout: Layout
    clusters: Clusters
    embed: Embed | None = None

    def atlas(self, view: JobView, store: ArtifactStore) -> Atlas:
        """The atlas of a job's results so far: from the store, or worked out now (minutes for 10,000 features).

        Its clusters have the names that somebody asked for before, if any. Raises what `layout` and `clusters` raise.
        """
        return kept_names(self._compared(view, store), view.shown_texts, StageCache(store))

    def _compared(self, view: JobView, store: ArtifactStore) -> Atlas:
        if self.embed is not None:
            try:
                return self._atlas(view, store, "sentences", self.embed)
            except JobsError as error:  # an older API, or a deployment without a sentence model
                log.warning("texts are compared by their words: %s", error)
        return self._atlas(view, store, "words", vectors_by_words)

    def _atlas(self, view: JobView, store: ArtifactStore, source: str, embed: Embed) -> Atlas:
        texts = view.shown_texts
        version = view.provenance.models.get("sae.features", "") if view.provenance else ""
        inputs = {"format": FORMAT, "texts": [[*pair] for pair in texts.items()], "source": source, "sae": version}

        def compute() -> dict[str, npt.NDArray[Any]]:
            vectors = embed(list(texts.values()))
            rows = directions([result.feature for result in view.features], version, StageCache(store))
            return _to_arrays(chart(texts, vectors, source, self.layout, self.clusters, rows))

        return _from_arrays(StageCache(store).cached("viewer_atlas", inputs, ARRAYS, compute))


def vectors_by_words(texts: Sequence[str]) -> FloatArray:
    """Vectors float32 [n, ≤ 64] of n texts, near where they share words: tf–idf, brought to few dimensions.

    Deterministic. Texts without a single word are all alike.
    """
    from sklearn.decomposition import TruncatedSVD  # heavy: only where a map is made
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not texts:
        return np.zeros((0, 1), np.float32)
    try:
        counts = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    except ValueError:  # not one word in all of them
        return np.ones((len(texts), 1), np.float32)
    if counts.shape[1] <= _WIDTH:
        return np.asarray(counts.toarray(), np.float32)
    return np.asarray(TruncatedSVD(_WIDTH, random_state=42).fit_transform(counts), np.float32)


def directions(features: Sequence[int], version: str, cache: StageCache) -> dict[int, FloatArray]:
    """Decoder rows [d] of those features for which the pipeline left one in the stage cache."""
    found: dict[int, FloatArray] = {}
    for feature in features:
        row = cache.find(cache.key(ROWS, rows_inputs(version, feature)), ARRAYS)
        if row is not None:
            found[feature] = row["direction"]
    return found


def _to_arrays(atlas: Atlas) -> dict[str, npt.NDArray[Any]]:
    told = {"names": atlas.names, "named_by": atlas.named_by, "source": atlas.source}
    return {
        "features": atlas.features,
        "place": atlas.place,
        "cluster": atlas.cluster,
        "text_place": atlas.texts.place,
        "text_cosine": atlas.texts.cosine,
        "direction_features": atlas.direction_features,
        "direction_place": atlas.directions.place,
        "direction_cosine": atlas.directions.cosine,
        **{name: np.array(value, dtype=np.str_) for name, value in told.items()},
    }


def _from_arrays(arrays: Any) -> Atlas:
    return Atlas(
        features=arrays["features"],
        place=arrays["place"],
        cluster=arrays["cluster"],
        names=tuple(map(str, arrays["names"])),
        named_by=str(arrays["named_by"]),
        source=str(arrays["source"]),
        texts=Near(arrays["text_place"], arrays["text_cosine"]),
        direction_features=arrays["direction_features"],
        directions=Near(arrays["direction_place"], arrays["direction_cosine"]),
    )
