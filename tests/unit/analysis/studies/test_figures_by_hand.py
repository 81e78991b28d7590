"""Every study's numbers against pandas, scipy and scikit-learn, recomputed in another way from the same frame."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from orchestrator.analysis.gather import questions, with_labels, with_vectors
from orchestrator.analysis.studies import (
    agreement,
    best,
    context,
    cost,
    explain_sets,
    explainers,
    levels,
    meanings,
    outcomes,
    scores,
)
from orchestrator.analysis.studies.material import Sizes
from orchestrator.analysis.studies.study import MissingInputError
from tests.unit.analysis.studies.materials import Told, ask, embed, material, run
from tests.unit.analysis.worlds import references, world


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """The frame as a reader of the exported file has it."""
    path = tmp_path_factory.mktemp("frame") / "results.parquet"
    world().to_parquet(path)
    return pd.read_parquet(path)


def data_of(study, name=None):
    return next(table.data for table in study.tables if name in (None, table.name))


def test_scores_are_means_pooled_auroc_is_sklearns(parquet):
    data = data_of(scores.make(material())).set_index(["variant", "score"])["value"]
    means = parquet.groupby("variant")[["iou", "clip", "synthetic_activation"]].mean()
    for score in means:
        for variant, mean in means[score].items():
            assert data[variant, score] == pytest.approx(mean)
    negatives = references(world())
    for variant, part in parquet.groupby("variant"):
        positives = np.concatenate(part["learned_activations"].to_list())
        against = np.concatenate([negatives[feature] for feature in part["feature"]])
        truth = np.r_[np.ones(len(positives)), np.zeros(len(against))]
        assert data[variant, "auroc"] == pytest.approx(roc_auc_score(truth, np.r_[positives, against]))


def test_the_known_order_is_found_and_marked_where_scipy_says_so(parquet):
    data = data_of(scores.make(material()))
    iou = data[data["score"] == "iou"].set_index("variant")
    assert iou.loc["informed_masks", "value"] > iou.loc["topk_masks", "value"] > iou.loc["steering", "value"]
    assert iou.loc["steering", "value"] > iou.loc["control_random", "value"]
    values = {variant: part["iou"] for variant, part in parquet.groupby("variant")}
    for variant, rivals in {
        "informed_masks": ("topk_masks", "steering"),
        "topk_masks": ("informed_masks", "steering"),
        "steering": ("informed_masks", "topk_masks", "informed_heatmaps", "topk_heatmaps"),
    }.items():
        p = [stats.mannwhitneyu(values[variant], values[rival], alternative="greater").pvalue for rival in rivals]
        assert iou.loc[variant, "marked"] == all(one < 0.05 for one in p)
    assert iou.loc["informed_masks", "marked"] and iou.loc["informed_masks", "marked_paired"]
    assert not iou.loc[["truth", "shuffled", "control_random"], "marked"].any()


def test_agreement_keeps_what_is_near_enough(parquet):
    made = with_vectors(material(), embed)
    data = data_of(agreement.make(made))
    texts = parquet.pivot(index="feature", columns="variant", values="text")
    near = (embed(texts["steering"].to_list()) * embed(texts["topk_masks"].to_list())).sum(1)
    iou = parquet[parquet["variant"] == "topk_masks"].set_index("feature")["iou"]
    mine = data[(data["variant"] == "topk_masks") & (data["score"] == "iou")]
    assert mine["n"].iloc[0] == 40 and mine["relative"].iloc[0] == 1 and mine["n"].min() >= 10
    assert len(mine) > 2
    for row in mine.itertuples():
        assert row.value == pytest.approx(iou[near >= row.threshold - 1e-6].mean())
        assert row.n == (near >= row.threshold - 1e-6).sum()


def test_agreement_that_matters_is_seen():
    """Texts equal to Steering's where IoU is high: the curve must rise."""
    frame = world(60, variants=("steering", "topk_masks"))
    topk = frame["variant"] == "topk_masks"
    good = topk & (frame["iou"] > frame.loc[topk, "iou"].median())
    same = frame[frame["variant"] == "steering"].set_index("feature")["text"]
    frame.loc[good, "text"] = frame.loc[good, "feature"].map(same)
    data = data_of(agreement.make(with_vectors(material(frame), embed)))
    iou = data[data["score"] == "iou"].set_index("threshold")["value"]
    assert iou.iloc[-1] == pytest.approx(frame.loc[good, "iou"].mean())
    assert iou.iloc[-1] > iou.iloc[0] + 0.04


def test_contextual_bias_selects_by_the_largest_gain_and_counts_what_turned(parquet):
    wide = parquet.pivot(index="feature", columns="variant", values="iou")
    gain = (wide["steering"] - wide["topk_masks"]).sort_values(ascending=False)
    chosen = context.chosen(parquet, "masks", most=5)
    assert chosen["feature"].tolist() == gain.index[:5].tolist()
    assert len(context.chosen(parquet, "masks")) == (gain > 0).sum()
    study = context.make(with_labels(material(), ask))
    data = data_of(study).set_index(["rendering", "variant"])
    for rendering in ("masks", "heatmaps"):
        selected = (wide["steering"] > wide[f"topk_{rendering}"]).sum()
        assert data.loc[(rendering, "steering"), "turned"] == 0
        assert data.loc[(rendering, f"topk_{rendering}"), "turned"] == selected  # ask: every Top-k text is an animal
        assert data.loc[(rendering, f"topk_{rendering}"), "turned_percent"] == 100
        assert data.loc[(rendering, f"informed_{rendering}"), "background"] == selected
    assert any("fewer than the paper's 300" in note for note in study.notes)


def test_only_what_steering_calls_background_is_counted_and_unread_labels_are_told():
    frame = world(3, variants=("steering", "topk_masks"))
    frame["iou"] = [0.9, 0.1, 0.9, 0.1, 0.9, 0.1]
    frame["text"] = ["sky", "dog", "dog", "sky", "sea", "hm"]
    subjects = {"sky": "background", "sea": "background", "dog": "animal", "hm": ""}
    labels = {("subject", text): Told("subject", text, value) for text, value in subjects.items()}
    table = context.table(frame, "masks", labels).set_index("variant")
    assert table.loc["topk_masks", ["selected", "of", "background", "turned", "other", "unreadable"]].tolist() == [
        3, 2, 0, 1, 0, 1,
    ]  # fmt: skip


def test_labels_of_a_grammar_are_marked_as_such():
    def grammar(questions):
        return [Told(one.kind, one.key, one.value, "grammar") for one in ask(questions)]

    made = with_labels(with_vectors(material(), embed), grammar)
    for study in (context.make(made), levels.make(made), meanings.make(made)):
        assert any("not from a language model" in note for note in study.notes)


def test_levels_count_the_kept_choices():
    made = with_labels(material(), ask)
    data = data_of(levels.make(made))
    kept = made.best[made.best["kept"]]
    assert data.set_index("variant")["all"].to_dict() == kept["variant"].value_counts().to_dict()
    assert data["all"].sum() == data[["low-level", "high-level", "other", "unreadable"]].to_numpy().sum()
    assert data.loc[data["variant"] != "steering", "low-level"].sum() == 0


def test_best_counts_and_texts():
    made = material()
    study = best.make(made)
    counts, chosen = data_of(study, "best_counts"), data_of(study, "best")
    assert counts["chosen"].sum() == 40 == len(chosen)
    assert counts.set_index("variant")["chosen"].to_dict() == made.best["variant"].value_counts().to_dict()
    rows = world().set_index(["feature", "variant"])
    for row in chosen.itertuples():
        assert (row.text, row.iou) == tuple(rows.loc[(row.feature, row.variant), ["text", "iou"]])
    assert set(counts.nlargest(2, "chosen")["variant"]) == {"informed_masks", "informed_heatmaps"}


def test_the_map_places_every_kept_feature_and_asks_for_names():
    made = with_vectors(material(), embed)
    asked = [one for one in questions(made) if one.kind == "cluster"]
    made = with_labels(made, ask)
    data = data_of(meanings.make(made), "map")
    assert set(data["feature"]) == set(made.best.loc[made.best["kept"], "feature"])
    assert data["cluster"].nunique() == len(asked) and all(len(one.texts) <= 20 for one in asked)
    for cluster, part in data.groupby("cluster"):
        assert part["name"].unique().tolist() == [f"about {asked[cluster].texts[0]}"]
        assert set(asked[cluster].texts) <= set(part["text"])
    assert data.groupby("text")[["x", "y"]].nunique().to_numpy().max() == 1


def test_explainers_compare_the_features_that_all_jobs_have():
    frame = pd.concat([world(40, job="a"), world(30, job="b", lift=0.2, seed=5)], ignore_index=True)
    runs = tuple(run(job, f"model {job}", models={"vlm.explain": job, "sae.score": "s"}) for job in "ab")
    study = explainers.make(material(frame, runs))
    data = data_of(study).set_index(["job", "variant", "score"])
    expected = frame[frame["feature"] < 30].groupby(["job", "variant"])["iou"].mean()
    for job in "ab":
        assert data.loc[(job, "steering", "iou"), "value"] == pytest.approx(expected[job, "steering"])
        assert data.loc[(job, "steering", "iou"), "n"] == 30
    assert study.notes == ()
    other = tuple(run(job, job, models={"vlm.explain": job, "sae.score": job}) for job in "ab")
    assert "sae.score" in explainers.make(material(frame, other)).notes[0]


def test_explain_sets_stand_by_size_and_must_share_a_test_set():
    frame = pd.concat([world(job="big"), world(job="small", seed=5)], ignore_index=True)
    runs = (run("big", "big", explain_images=9000), run("small", "small", explain_images=300))
    data = data_of(explain_sets.make(material(frame, runs)))
    assert list(dict.fromkeys(data["images"])) == [300, 9000]
    apart = (
        run("big", explain_images=9, sets={"test": "x"}),
        run("small", explain_images=3, sets={"test": "y"}),
    )
    with pytest.raises(MissingInputError, match="different test sets"):
        explain_sets.make(material(frame, apart))


def test_jobs_that_differ_from_the_first_in_something_else_are_left_out():
    frame = pd.concat([world(40, job=job, seed=seed) for seed, job in enumerate(("base", "int4", "few"))])
    runs = (
        run("base", models={"vlm.explain": "a"}, explain_images=9000),
        run("int4", models={"vlm.explain": "b"}, explain_images=9000),
        run("few", models={"vlm.explain": "a"}, explain_images=300),
    )
    made = material(frame.reset_index(drop=True), runs)
    for study, jobs in ((explainers, {"base", "int4"}), (explain_sets, {"base", "few"})):
        found = study.make(made)
        assert set(data_of(found)["job"]) == jobs
        assert found.notes == ()
    two = material(frame[frame["job"] != "base"].reset_index(drop=True), runs[1:])  # no other jobs to compare
    assert "more than the explainer: the size of the explain set" in explainers.make(two).notes[0]
    assert "more than the explain set: the explainer" in explain_sets.make(two).notes[0]


def test_coverage_counts_every_row_once():
    frame = world()
    frame.loc[:9, "iou_outcome"] = "failed"
    data = data_of(outcomes.make(material(frame)))
    assert (data.groupby(["variant", "what"])["count"].sum() == 40).all()
    assert data.loc[data["outcome"] == "failed", "count"].sum() == 10


def test_cost_is_measured_and_the_formula_is_the_papers():
    """Gemma 3 27B by hand: steering 2 · 27e9 · (100 + 4096 + 100)."""
    known = run(settings={"max_new_tokens": "100", "top_k": "5"}, explain_images=50_000, patches=4096, width=1152,
                dict_size=8192)  # fmt: skip
    study = cost.make(material(runs=(known,), sizes=Sizes(27e9, 100)))
    spent = data_of(study, "cost").set_index("stage")
    assert spent.loc["explain", "mean"] == pytest.approx(np.mean([0.5 + f / 10 for f in range(40)]))
    flops = data_of(study, "cost_flops").set_index(["method", "what"])["flops"]
    assert flops["Steering", "per feature"] == pytest.approx(2 * 27e9 * 4296)
    assert flops["Top-k", "per feature"] == pytest.approx(2 * 27e9 * (100 + 5 * 4096 + 100))
    assert flops["Top-k", "once, for the index"] == pytest.approx(50_000 * 4096 * 2 * (27e9 + 1152 * 8192))
    assert study.notes == ()


def test_unknown_sizes_are_named_and_not_guessed():
    study = cost.make(material())
    assert [table.name for table in study.tables] == ["cost"]
    assert "P_sub (--parameters)" in study.notes[0] and "N_eval" in study.notes[0]
