"""The documents against the results that they are made of."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.sources import Sources
from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.viewer.documents.catalog import Abilities, catalog
from orchestrator.viewer.documents.encoding import to_json
from orchestrator.viewer.documents.feature import feature
from orchestrator.viewer.documents.histogram import histogram
from orchestrator.viewer.documents.table import table
from orchestrator.viewer.job_view import JobInfo
from protos.v1.jobs_pb2 import DONE, Job, JobSpec
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.unit.viewer.conftest import HOSTILE


def test_the_table_holds_what_the_frame_holds(view):
    document = json.loads(to_json(table(view)))
    frame = to_frame(view.results, view.info.id).set_index(["feature", "variant"])
    assert document["features"] == sorted(result.feature for result in view.results)
    for row, number in enumerate(document["features"]):
        for method in document["methods"]:
            column, wanted = document["columns"][method["id"]], frame.loc[(number, method["id"])]
            assert document["texts"][column["text"][row]] == wanted["text"]
            assert document["outcomes"][column["outcome"][row]] == wanted["outcome"]
            for score, values in column["scores"].items():
                if np.isnan(wanted[score]):
                    assert values[row] is None
                else:
                    assert values[row] == pytest.approx(wanted[score], rel=1e-3)


def test_the_best_explanation_is_the_votes(view):
    document = table(view)
    chosen = choose_best(to_frame(view.results, view.info.id), 7).set_index("feature")["variant"]
    told = {
        number: document["methods"][best]["id"]
        for number, best in zip(document["features"], document["best"], strict=True)
    }
    assert told == chosen.to_dict()
    for number, method in told.items():
        marked = [one["method"]["id"] for one in feature(view, number)["explanations"] if one["best"]]
        assert marked == [method]


def test_the_order_of_results_changes_nothing(view):
    shuffled = list(view.results)
    random.Random(3).shuffle(shuffled)
    assert table(replace(view, results=shuffled)) == table(view)
    assert feature(replace(view, results=shuffled), 7) == feature(view, 7)


def test_a_feature_tells_everything(view):
    result = view.by_feature[10]
    document = feature(view, 10)
    failed = document["explanations"][0]
    assert (failed["outcome"], failed["reason"], failed["text"]) == ("failed", "vlm: the model gave no answer", "")
    assert [one["method"]["id"] for one in document["explanations"]] == [one.variant for one in result.variants]
    assert document["grid"] == [8, 8] and document["strength"] == 0.75 and document["tint"] == "green"
    top, kept = document["explain"][0], result.explain_images[0]
    assert top["src"] == f"images/{view.sources.explain.id}/{kept.image}.webp" and top["positions"] == list(
        kept.positions
    )
    drawn = document["explanations"][1]["generated"]["learned"][0]
    assert (
        drawn["src"] == f"images/generated/{result.variants[1].generated['learned'].artifacts[0].split('/')[-1]}.webp"
    )
    assert int(drawn["seed"]) == result.variants[1].generated["learned"].seeds[0], "64 bits survive"
    with pytest.raises(KeyError):
        feature(view, 4000)


def test_the_jobs_own_tint_is_told(view):
    result = FeatureResult()
    result.CopyFrom(view.by_feature[3])
    result.provenance.settings["heatmap_tint"] = "viridis"
    assert feature(replace(view, results=[result]), 3)["tint"] == "viridis"
    assert (view.sources.tint, Sources.of(result, view.sources.store).tint) == ("green", "viridis")


def test_a_job_whose_features_all_failed_has_documents(view):
    failed = [FeatureResult(feature=3, outcome="failed", reason="poison"), FeatureResult(feature=1, outcome="failed")]
    bare = replace(view, results=failed, sources=None)
    document = table(bare)
    assert (document["features"], document["methods"], document["best"]) == ([1, 3], [], [-1, -1])
    told = feature(bare, 3)
    assert (told["reason"], told["explanations"], told["grid"], told["histogram"]) == ("poison", [], [0, 0], None)


def test_features_may_have_different_variants(view):
    odd = FeatureResult(
        feature=99, outcome="ok", variants=[VariantResult(variant="mine", outcome="ok", text="a thing")]
    )
    document = table(replace(view, results=[*view.results, odd]))
    assert document["columns"]["steering"]["text"][-1] == -1
    assert document["texts"][document["columns"]["mine"]["text"][-1]] == "a thing"
    assert document["methods"][-1]["role"] == "given" and document["methods"][-1]["slot"] == "given"


def test_labels_stand_by_text(view):
    texts = table(view)["texts"]
    labels = table(view, {"subject": {texts[1].strip(): "animal"}, "abstraction": {"said nowhere": "other"}})["labels"]
    assert list(labels) == ["subject"], "a column without a value is no column"
    assert labels["subject"][:2] == ["", "animal"] and len(labels["subject"]) == len(texts)


def test_the_catalog_says_what_can_be_done():
    job = Job(id="b" * 12, kind="explain", state=DONE, spec=JobSpec(), items_total=3, items_by_state={"done": 3})
    document = catalog([JobInfo.of(job)], Abilities(live=True, search=True))
    assert document["abilities"] == {"live": True, "explain": False, "probe": False, "search": True, "names": False}
    assert document["jobs"][0] | {"name": f"Job {job.id}", "state": "done", "ended": True} == document["jobs"][0]
    assert {"steering", "informed_masks", "control_random"} <= {method["id"] for method in document["steered"]}
    assert not any(method["id"].startswith("topk") for method in document["steered"])


@given(
    reference=st.lists(st.floats(0, 100, width=32), min_size=1, max_size=50),
    top=st.lists(st.floats(0, 200, width=32), max_size=5),
)
def test_every_random_image_is_in_the_histogram_once(reference, top):
    document = histogram(np.array(reference, np.float32), top)
    assert document["silent"] + sum(document["counts"]) == document["images"] == len(reference)
    assert document["silent"] == sum(value <= 0 for value in reference)


def test_documents_are_json_that_browsers_read(view):
    data = to_json(table(view))
    assert HOSTILE in json.loads(data)["texts"]
    assert to_json({"text": "\ud800"}).decode("utf-8")
    with pytest.raises(ValueError):
        to_json({"score": float("nan")})
