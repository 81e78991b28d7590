"""CLIP cosine (Eq. 9), image scores (Eq. 3), synthetic activation (Eq. 10), top images: against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics.pairwise import cosine_similarity

from orchestrator.index.topk import TopCollector, TopTable, merged
from orchestrator.pipeline.evidence import Generated
from orchestrator.pipeline.gather import NEEDS, Pieces
from orchestrator.pipeline.outcomes import ScoreOutcome, Told, VariantOutcome
from orchestrator.pipeline.scores import cosine, image_scores
from orchestrator.pipeline.scoring import Scorer
from tests.unit.metrics import naive

COORDINATES = st.floats(-5, 5, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)


def vectors(count: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, (count, 6), elements=COORDINATES).filter(lambda rows: rows.any(-1).all())


@given(vectors(4))
@settings(deadline=None)
def test_cosine(rows: np.ndarray):
    text, images = rows[0], rows[1:]
    found = cosine(text, images)
    np.testing.assert_allclose(found, [naive.cosine(text.tolist(), image.tolist()) for image in images], atol=1e-12)
    np.testing.assert_allclose(found, cosine_similarity(text[None].astype(np.float64), images)[0], atol=1e-6)
    np.testing.assert_allclose(cosine(3 * text, images), found, atol=1e-6)
    assert (np.abs(found) <= 1 + 1e-12).all()


MAPS = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(0, 8, width=32))


@given(MAPS, st.sampled_from(["mean", "max"]))
@settings(deadline=None)
def test_image_scores_reduce_over_patches(maps: np.ndarray, reduce: str):
    expected = [naive.image_score(row.tolist(), reduce) for row in maps]
    np.testing.assert_allclose(image_scores(maps, reduce), expected, rtol=1e-12)


@given(MAPS)
@settings(deadline=None)
def test_synthetic_activation_is_the_mean_over_generated_images(maps: np.ndarray):
    activations = tuple(float(score) for score in image_scores(maps, "mean"))
    drawn = Generated(("",) * len(maps), (0,) * len(maps), activations)
    pieces = Pieces({("a star", NEEDS["synthetic_activation"]): drawn})
    told = Told("steering", VariantOutcome.OK, text="a star")
    # the plan gives only how many images were wanted, which concerns scores on images
    scorer = Scorer(None, pieces, np.zeros((0, 0), np.uint8), np.zeros(0, np.float32))  # type: ignore[arg-type]
    scored = scorer.score("synthetic_activation", told)
    assert scored.outcome is ScoreOutcome.OK
    assert scored.value == pytest.approx(naive.mean([naive.image_score(row.tolist(), "mean") for row in maps]))
    assert scored.parts == activations


def hits(scores: np.ndarray, first: int, thresholds: np.ndarray) -> TopTable:
    """The pairs of some images above thresholds, without maps. scores [n, s]."""
    image, feature = np.nonzero(scores > thresholds)
    none = np.zeros(0)
    arrays = {"image": image + first, "feature": feature, "score": scores[image, feature]}
    return TopTable.from_arrays(arrays | {"offset": np.zeros(len(image) + 1), "position": none, "value": none})


SCORES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 14), st.just(3)), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])
)


@given(SCORES, st.integers(1, 5), st.integers(1, 6))
@settings(deadline=None)
def test_top_images_whatever_the_batches_and_shards(scores: np.ndarray, k: int, batch: int):
    """Many ties: by falling score, then rising id, only S > 0."""
    collector, shards = TopCollector(3, k), []
    for start in range(0, len(scores), batch):
        part = scores[start : start + batch]
        collector.add(hits(part, start, collector.thresholds()))
        shards.append(hits(part, start, np.zeros(3, np.float32)).best(k))
    for table in (collector.table(), merged(shards[::-1], k)):
        for feature in range(3):
            found = [int(table.image[row]) for row in table.rows_of(feature)]
            assert found == naive.top_images(enumerate(scores[:, feature].tolist()), k)
