"""The map of meanings: embeddings laid out in the plane, and gathered in clusters (METHOD §7, Fig. 6).

Both see the distinct vectors in one order of their own, so that permuting rows permutes the answer and nothing else;
equal vectors lie on one point and in one cluster.
"""

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.floating]
_NEIGHBOURS, _MIN_DIST = 15, 0.1
_CLUSTERS = 30


def layout(vectors: Vectors, seed: int = 42) -> npt.NDArray[np.float32]:
    """Points [n, 2] for vectors [n, e], by UMAP (15 neighbours, min_dist .1, cosine); deterministic.

    With fewer than 16 distinct vectors there are no 15 neighbours: then the two principal components. Raises ValueError
    for vectors that are not finite. The first call imports numba (about 11 s).
    """
    distinct, places, _ = _distinct(vectors)
    points = _principal(distinct) if len(distinct) <= _NEIGHBOURS else _umap(distinct, seed)
    return points.astype(np.float32)[places]


def clusters(vectors: Vectors, k: int | None = None, seed: int = 42) -> npt.NDArray[np.int64]:
    """A cluster for each vector [n, e], by k-means, 0 the largest: at most `k`, and no more than distinct vectors.

    Without `k`: 30, or fewer, so that on average at least five vectors lie in each.
    """
    from sklearn.cluster import KMeans  # a second of import, for maps only

    if k is None:
        k = min(_CLUSTERS, max(len(vectors) // 5, 1))
    if k < 1:
        raise ValueError(f"k: {k} clusters; give at least 1")
    distinct, places, counts = _distinct(vectors)
    if not len(distinct):
        return np.zeros(0, np.int64)
    found = KMeans(min(k, len(distinct)), n_init=10, random_state=seed).fit(distinct, sample_weight=counts)
    labels = found.labels_
    sizes = np.bincount(labels, weights=counts)
    renamed = np.empty(len(sizes), np.int64)
    renamed[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    named: npt.NDArray[np.int64] = renamed[labels][places]
    return named


def _distinct(
    vectors: Vectors,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct rows in ascending order, each row's place among them, and how many rows each stands for."""
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"vectors: shape {vectors.shape}; give a matrix [n, e]")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors: some are not finite; embed the texts again")
    distinct, places, counts = np.unique(vectors + np.float32(0), axis=0, return_inverse=True, return_counts=True)
    return distinct, places.reshape(-1), counts  # + 0: −0 is 0


def _umap(distinct: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    from umap import UMAP

    mapper = UMAP(n_neighbors=_NEIGHBOURS, min_dist=_MIN_DIST, metric="cosine", random_state=seed, n_jobs=1)
    return np.asarray(mapper.fit_transform(distinct), np.float32)


def _principal(distinct: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The first two principal components; missing ones are 0. A component's largest loading is positive."""
    points = np.zeros((len(distinct), 2))
    if len(distinct) < 2:
        return points
    centred = distinct.astype(np.float64) - distinct.mean(0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(1)])[:, None]
    points[:, : len(axes)] = centred @ axes.T
    return points
