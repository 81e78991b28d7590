"""From records to the folder: the three files, tables and figures, several jobs, and a page that is whole in itself."""

import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from orchestrator.analysis.deliver import Finished, deliver, summary_of
from orchestrator.analysis.gather import material_of, with_labels, with_vectors
from orchestrator.analysis.studies.catalog import make_all
from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Provenance, Score
from tests.unit.analysis.examples import variant_result
from tests.unit.analysis.studies.materials import ask, embed
from tests.unit.analysis.worlds import HOSTILE

VARIANTS = ("steering", "topk_masks", "informed_masks")


@dataclass(frozen=True)
class NoImages:
    """Sources of a job whose images are gone; its negatives are not."""

    explain = test = None

    def references(self, features):
        return {feature: np.linspace(0, 1, 9) for feature in features}

    def views(self, feature, count):
        return []

    def picture(self, address):
        return None


class Given(Finished):
    """A job without artifacts."""

    @property
    def sources(self):
        return NoImages()


def results(seed, hostile=False):
    rng = np.random.default_rng(seed)
    found = []
    for feature in range(30):
        variants = []
        for level, variant in enumerate(VARIANTS):
            text = HOSTILE[feature % 12] if hostile else f"{variant} {feature % 5}"
            one = variant_result(variant, text, iou=float(np.clip(0.3 + 0.2 * level + 0.1 * rng.normal(), 0, 1)))
            for score in ("clip", "synthetic_activation", "auroc"):
                one.scores[score].CopyFrom(Score(outcome="ok", value=0.5 + 0.1 * level + 0.02 * rng.normal()))
            one.generated["learned"].CopyFrom(
                GeneratedImages(artifacts=["a", "b", "c"], activations=0.2 * level + rng.random(3))
            )
            variants.append(one)
        found.append(
            FeatureResult(
                feature=feature, alive=True, outcome="ok", variants=variants, stage_seconds={"explain": 0.5},
                provenance=Provenance(models={"vlm.explain": str(seed)}, settings={"top_k": "5"}),
            )
        )  # fmt: skip
    return found


def make(folder, *jobs):
    summary = summary_of(jobs[0], {"total": 1.0})
    material = with_labels(with_vectors(material_of(jobs), embed), ask)
    deliver(jobs[0], summary, folder, studies=list(make_all(material)), others=jobs[1:])
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    page = make(folder, Given("a", "small", results(1), None, None), Given("b", "large", results(2), None, None))
    return folder, page


def test_the_folder_has_everything(made):
    folder, _ = made
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "results.parquet", "summary.json", "tables", "figures",
    }  # fmt: skip
    told = json.loads((folder / "summary.json").read_text())["studies"]
    for key, how in told.items():
        assert (folder / "figures" / f"{key}.png").exists() == (how == "made"), key
    assert told["explain_sets"].startswith("not made: ") and told["explainers"] == "made"


def test_tables_equal_what_a_reader_computes_from_the_parquet(made):
    folder, _ = made
    frame = pd.read_parquet(folder / "results.parquet")
    assert set(frame["job"]) == {"a", "b"} and len(frame) == 180
    scores = pd.read_csv(folder / "tables" / "scores.csv")
    for (job, variant), mean in frame.groupby(["job", "variant"])["iou"].mean().items():
        mine = scores[(scores["job"] == job) & (scores["variant"] == variant) & (scores["score"] == "iou")]
        assert mine["value"].item() == pytest.approx(mean)
    best = pd.read_csv(folder / "tables" / "best.csv")
    votes = frame.assign(
        rank=frame.groupby(["job", "feature"])[["iou", "clip", "synthetic_activation", "auroc"]]
        .rank(ascending=False)
        .mean(axis=1)
    )
    lowest = votes.groupby(["job", "feature"])["rank"].min()
    assert best.set_index(["job", "feature"])["mean_rank"].to_dict() == pytest.approx(lowest.to_dict())


def test_the_page_has_every_study_and_needs_nothing_else(made):
    _, page = made
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "http://" not in page and "https://" not in page
    assert page.count('<section class="study"') == 11
    anchors = set(re.findall(r'href="#([\w-]+)"', page))
    assert anchors <= set(re.findall(r'id="([\w-]+)"', page))
    assert page.count('download="scores.csv"') == 1 and "Not made." in page


def test_hostile_explanations_stay_texts_in_the_page(tmp_path):
    page = make(tmp_path, Given("<i>job</i>", "<b>title</b>", results(1, hostile=True), None, None))
    assert page.count("<script>") == 1  # our own
    assert "<b>title</b>" not in page and "<i>job</i>" not in page
    assert "<b> " not in page and "&lt;script&gt;" in page
