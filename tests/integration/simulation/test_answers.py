"""Simulated answers depend on the rows alone: not on the batch, the replica, or the time."""

import time

import numpy as np
import pytest

from services.sae.spec import INDEX, MAPS, SCORE, IndexQuery, MapRow, ScoreRow
from services.serving.client import ServiceClient
from services.vlm.spec import EXPLAIN, ExplainRow
from tests.conformance.samples import JPEG, PNG
from tests.simulation.processes import running_services

pytestmark = pytest.mark.integration


def row(number):
    return ExplainRow("what is this?", (PNG,), np.full(16, number, np.float32), 1.0)


def ask(address, spec, rows, **parameters):
    with ServiceClient(address) as client:
        return client.infer(spec, rows, timeout=60, parameters=parameters)


def test_a_row_gets_the_same_answer_alone_in_a_batch_and_from_another_replica(simulated, tmp_path):
    rows = [row(number) for number in range(20)]
    together = ask(simulated["vlm"], EXPLAIN, rows)
    assert [ask(simulated["vlm"], EXPLAIN, [one])[0] for one in rows] == together
    assert len({answer.text for answer in together}) > 10
    with running_services(tmp_path, ["vlm"], {"STEERSCOPE_VLM_LATENCY_MS": "150"}) as other:
        started = time.monotonic()
        assert ask(other["vlm"], EXPLAIN, rows[::-1]) == together[::-1]
        assert time.monotonic() - started >= 0.15


def test_scores_maps_and_index_are_of_one_world(simulated):
    images, ids = (PNG, JPEG), np.arange(64)
    maps = [answer.maps for answer in ask(simulated["sae"], MAPS, [MapRow(image, ids) for image in images])]
    scores = [answer.score for answer in ask(simulated["sae"], SCORE, [ScoreRow(image) for image in images])]
    np.testing.assert_allclose(scores, [one.mean(1) for one in maps], rtol=1e-6)
    query = IndexQuery(images, np.full(64, 0.1, np.float32))
    (hits,) = ask(simulated["sae"], INDEX, [query], residuals="yes")
    assert set(zip(hits.image, hits.feature, strict=True)) == set(zip(*np.nonzero(np.stack(scores) > 0.1), strict=True))
    for pair in range(len(hits.image)):
        span = slice(hits.offset[pair], hits.offset[pair + 1])
        one = np.zeros(16, np.float32)
        one[hits.position[span]] = hits.value[span]
        np.testing.assert_array_equal(one, maps[hits.image[pair]][hits.feature[pair]])
    np.testing.assert_allclose(hits.mass, (maps[0].sum(1) + maps[1].sum(1))[hits.summed], rtol=1e-5)
    assert hits.patches.tolist() == [32] and hits.weighted.shape == (len(hits.summed), 16)
