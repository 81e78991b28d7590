"""What is published of real jobs: the report's figures equal plain recomputations from the exported Parquet."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from datasets import load_dataset
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests
from typer.testing import CliRunner

from orchestrator.analysis.sources import Sources
from orchestrator.cli.main import app
from orchestrator.pipeline.variants import METHODS
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import DONE, JobSpec
from tests.integration.conftest import FEATURES

pytestmark = pytest.mark.integration
SCORES = ("iou", "clip", "synthetic_activation", "auroc")


@pytest.fixture(scope="module")
def smaller_job(stack, main_spec, tmp_path_factory):
    """The same features, explained from a quarter of the images."""
    folder = tmp_path_factory.mktemp("quarter")
    images = sorted((stack.stack.images / "explain").glob("*.png"))
    for image in images[: len(images) // 4]:
        shutil.copy(image, folder)
    assert stack.index("quarter", folder).state == DONE
    spec = JobSpec()
    spec.CopyFrom(main_spec)
    spec.explain_set = "quarter"
    return stack.finish(stack.client.submit(spec))


def invoke(stack, *words, home=True):
    here = ["--api", stack.stack.addresses.api, *(("--home", str(stack.stack.home)) if home else ())]
    shown = CliRunner().invoke(app, [*map(str, words), *here])
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.fixture(scope="module")
def report(stack, main_job, smaller_job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    invoke(stack, "report", main_job.id, smaller_job.id, "-o", folder, "--min-iou", 0, "--min-synthetic-activation", 0)
    return folder


@pytest.fixture(scope="module")
def dataset(stack, main_job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "dataset"
    invoke(stack, "export", main_job.id, folder)
    return folder


@pytest.fixture(scope="module")
def exported(dataset):
    """A row per feature and variant, by the library that people read it with."""
    return load_dataset(str(dataset), "explanations", split="train").to_pandas()


def table(report, name, job=None):
    data = pd.read_csv(report / "tables" / f"{name}.csv", keep_default_na=False, na_values=[""])
    return data if job is None else data[data["job"] == job.id]


def test_every_study_but_that_of_explainers_is_made(report):
    told = json.loads((report / "summary.json").read_text())["studies"]
    assert {name for name, outcome in told.items() if outcome != "made"} == {"explainers"}, told
    for name in set(told) - {"explainers"}:
        assert {path.suffix for path in (report / "figures").glob(f"{name}.*")} == {".png", ".svg"}, name
        assert list((report / "tables").glob(f"{name}*.csv")), name
    page = (report / "report.html").read_text("utf-8")
    assert page.count("<svg") + page.count("data:image/svg+xml") >= len(told) - 1


def test_means_and_numbers_of_features(report, exported, main_job):
    found = table(report, "scores", main_job).set_index(["variant", "score"])
    for variant, rows in exported.groupby("variant"):
        for score, column in [*((score, score) for score in SCORES[:3]), ("auroc_macro", "auroc"), ("oracle_iou",) * 2]:
            values = rows[column].dropna()
            assert found.loc[(variant, score), "n"] == len(values)
            assert found.loc[(variant, score), "value"] == pytest.approx(values.mean(), abs=1e-6)


def test_pooled_auroc_is_that_of_scikit_learn(stack, report, exported, main_job):
    result = next(stack.client.results(main_job.id))
    sources = Sources.of(result, ArtifactStore(stack.stack.addresses.artifacts))
    negatives = sources.references(sorted(set(exported["feature"])))
    found = table(report, "scores", main_job).set_index(["variant", "score"])["value"]
    for variant, rows in exported.groupby("variant"):
        kept = [
            (np.asarray(s), np.asarray(negatives[f]))
            for f, s in zip(rows.feature, rows.learned_activations, strict=True)
            if s is not None and len(s)
        ]
        scores = np.concatenate([*(mine for mine, _ in kept), *(other for _, other in kept)]).astype(np.float64)
        drawn = sum(len(mine) for mine, _ in kept)
        expected = roc_auc_score([1] * drawn + [0] * (len(scores) - drawn), scores)
        assert found[(variant, "auroc")] == pytest.approx(expected, abs=1e-9)


def test_tests_of_pairs_are_those_of_scipy_and_statsmodels(report, exported, main_job):
    found = table(report, "pairs", main_job)
    wide = {score: exported.pivot(index="feature", columns="variant", values=score) for score in SCORES}
    assert set(found["score"]) == {"iou", "auroc_macro", "synthetic_activation", "clip"}
    for row in found.iloc[::4].itertuples():  # scipy takes a while for exact tests with ties
        values = wide[row.score.removesuffix("_macro")]
        both = values[[row.variant, row.rival]].dropna()
        differences = both[row.variant] - both[row.rival]
        assert row.n_paired == len(both)
        assert row.difference == pytest.approx(differences.mean(), abs=1e-6)
        unpaired = stats.mannwhitneyu(values[row.variant].dropna(), values[row.rival].dropna(), alternative="greater")
        assert row.p_mann_whitney == pytest.approx(unpaired.pvalue, abs=1e-9)
        if differences.any():
            assert row.p_wilcoxon == pytest.approx(stats.wilcoxon(differences, alternative="greater").pvalue, abs=1e-9)
    for _, family in found.groupby(["score", "family"]):
        assert family["p_wilcoxon_holm"].tolist() == pytest.approx(
            multipletests(family["p_wilcoxon"], method="holm")[1]
        )


def test_the_best_explanation_has_the_lowest_mean_rank(report, exported, main_job):
    found = table(report, "best", main_job).set_index("feature")
    methods = exported[exported["variant"].isin(METHODS) & exported["text"].fillna("").str.strip().ne("")]
    assert set(found.index) == set(methods["feature"])
    for feature, rows in methods.groupby("feature"):
        ranks = rows.set_index("variant")[list(SCORES)].rank(ascending=False, na_option="bottom").mean(axis=1)
        best = set(ranks.index[ranks == ranks.min()])
        assert found.loc[feature, "variant"] in best
        assert found.loc[feature, "tied"] == len(best)
        assert found.loc[feature, "mean_rank"] == pytest.approx(ranks.min())
        (mine,) = rows.loc[rows["variant"] == found.loc[feature, "variant"], "text"]
        assert found.loc[feature, "text"] == mine


def test_sets_of_explain_images_are_compared(report, main_job, smaller_job):
    found = table(report, "explain_sets")
    images = found.groupby("job")["images"].first()
    assert images[main_job.id] == 4 * images[smaller_job.id]


def test_labels_and_names_come_from_the_worlds_grammar(report, exported, main_job):
    page = (report / "report.html").read_text("utf-8")
    assert "grammar" in page
    chosen = table(report, "best", main_job)
    kept = chosen[chosen["kept"].astype(str) == "True"]
    clusters, points = table(report, "map_clusters"), table(report, "map")
    assert clusters["features"].sum() == len(points) == len(kept)
    assert dict(zip(points["feature"], points["text"], strict=True)) == dict(
        zip(kept["feature"], kept["text"], strict=True)
    )
    levels = table(report, "levels", main_job)
    assert levels["all"].sum() == len(kept) and levels["unreadable"].sum() == 0
    assert not levels["high-level"].sum() == levels["low-level"].sum() == 0


def test_the_export_holds_what_the_api_answers(stack, dataset, exported, main_job):
    results = {result.feature: result for result in stack.client.results(main_job.id)}
    assert len(results) == FEATURES == exported["feature"].nunique()
    for row in exported.itertuples():
        (variant,) = (one for one in results[row.feature].variants if one.variant == row.variant)
        assert (row.text or "") == variant.text
        for score in SCORES:
            told = variant.scores[score]
            value = getattr(row, score)
            assert value == pytest.approx(told.value) if told.HasField("value") else pd.isna(value)
    assert (dataset / "viewer" / "index.html").exists()
    mapped = (dataset / "viewer" / "data" / main_job.id / "map.js").read_text("utf-8")
    assert mapped.startswith("steerscope(")
    features = json.loads(mapped[mapped.index(",") + 1 : mapped.rindex(")")])["features"]
    assert all(one < other for one, other in pairwise(features)) and len(features) == FEATURES


def test_an_import_of_the_job_changes_nothing(stack, dataset, report, main_job, tmp_path):
    """A job that is here already is left as it is."""
    assert main_job.id in invoke(stack, "import", dataset, home=False)
    invoke(stack, "report", main_job.id, "-o", tmp_path, "--no-map", "--no-labels")
    alone = table(tmp_path, "scores")
    both = table(report, "scores", main_job)
    pd.testing.assert_frame_equal(alone.drop(columns="name"), both.drop(columns="name").reset_index(drop=True))
