"""On a device with little room: passes halve until they fit, and weights that left come back; answers stay the same."""

import numpy as np
import pytest
import torch

from services.sae.spec import IndexQuery, ScoreRow
from services.serving import portions
from tests.unit.sae.test_sae_model import MEAN, PICTURES, served
from tests.unit.sae.tiny_sae import SIZE

ROWS = [ScoreRow(picture) for picture in PICTURES]
QUERY = IndexQuery(tuple(PICTURES), np.zeros(SIZE, np.float32))


@pytest.fixture
def models(checkpoint, sae_folder):
    return served(checkpoint, sae_folder, images_per_pass=4)


@pytest.fixture
def expected(models):
    return [row.score for row in models["score"].run(ROWS, MEAN)], models["index"].run([QUERY], MEAN)[0]


def check(models, expected):
    scores, hits = expected
    np.testing.assert_allclose([row.score for row in models["score"].run(ROWS, MEAN)], scores, atol=1e-5)
    (again,) = models["index"].run([QUERY], MEAN)
    np.testing.assert_array_equal(again.image, hits.image)
    np.testing.assert_array_equal(again.feature, hits.feature)
    np.testing.assert_allclose(again.value, hits.value, atol=1e-5)


def test_a_pass_that_does_not_fit_is_halved(models, expected, monkeypatch):
    subject, seen = models["score"]._encoder.subject, []
    prefix = subject.prefix
    monkeypatch.setattr(portions, "release_memory", lambda: None)

    def small(pixels):
        seen.append(len(pixels))
        if len(pixels) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return prefix(pixels)

    monkeypatch.setattr(subject, "prefix", small)
    check(models, expected)
    assert seen[:3] == [4, 2, 1]
    assert max(seen[3:9]) == 1, "the size that fits is remembered; later a larger one is tried again"


def test_weights_leave_and_come_back(models, expected):
    score, index = models["score"], models["index"]
    codes = score._encoder._sae
    assert score.resident is index.resident
    assert [id(part) for part in score.resident.parts] == [
        id(part) for part in (score._encoder.subject.tower, codes._weight, codes._bias, codes._b_dec)
    ]
    score.sleep()
    score.wake()
    check(models, expected)
    assert models["features"].resident is None, "answered from main memory"
