"""A feature's whole way over fakes: scores against independent computations, faults, caching, determinism."""

import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score, roc_auc_score

from orchestrator.jobs.model import CancelledItem, ItemContext, PermanentError, TransientError
from orchestrator.pipeline.evidence import image_seed
from orchestrator.pipeline.feature import Hooks, explain_feature, run_feature
from orchestrator.pipeline.results import load_result, without_timings
from orchestrator.pipeline.target import RawDirection
from orchestrator.pipeline.variants import METHODS
from protos.v1.jobs_pb2 import GivenTexts
from protos.v1.results_pb2 import FeatureResult, VariantResult
from services.serving.errors import InvalidInputError, ServingError, UnavailableError
from services.serving.images import pixels_of
from services.serving.parameters import Priority
from tests.unit.pipeline import fakes, stage
from tests.unit.pipeline.conftest import World

FEATURE = 1
ALL_SCORES = ["iou", "clip", "synthetic_activation", "auroc", "oracle_iou", "oracle_auroc"]


def run(world: World, plan, feature: int = FEATURE, **hooks) -> FeatureResult:
    return explain_feature(plan, feature, world.deps, Hooks(**hooks))


def best_images(world: World, name: str, feature: int) -> list[bytes]:
    images = [path.read_bytes() for path in sorted((world.images / name).iterdir())]
    scores = np.array([fakes.scores_of(image)[feature] for image in images])
    return [images[i] for i in np.argsort(-scores, kind="stable")[:3]]


def by_name(result: FeatureResult) -> dict[str, VariantResult]:
    return {variant.variant: variant for variant in result.variants}


def as_224(values: np.ndarray) -> np.ndarray:
    image = Image.fromarray((values > 0).reshape(fakes.GRID))
    return np.asarray(image.resize((224, 224), Image.Resampling.NEAREST)).ravel()


def test_every_score_equals_an_independent_one(world: World):
    result = run(world, world.plan(scores=ALL_SCORES))
    tops = best_images(world, "test", FEATURE)
    maps = [fakes.maps_of(image)[FEATURE] for image in tops]
    negatives = world.test.reference[:, FEATURE]
    assert [variant.variant for variant in result.variants] == list(METHODS)
    for variant in result.variants:
        scores, text = variant.scores, variant.text
        masks = [np.random.default_rng(fakes.seed_of(image, text)).integers(0, 256, 6272, np.uint8) for image in tops]
        expected = [jaccard_score(as_224(m), np.unpackbits(mask)) for m, mask in zip(maps, masks, strict=True)]
        np.testing.assert_allclose(scores["iou"].parts, expected)
        assert scores["iou"].value == pytest.approx(np.mean(expected))
        assert scores["oracle_iou"].value == scores["iou"].value  # the same fake

        masked = [
            pixels_of(image) * (m > 0).reshape(fakes.GRID).repeat(8, 0).repeat(4, 1)[..., None]
            for image, m in zip(tops, maps, strict=True)
        ]
        cosines = [
            fakes.embedding(text).embedding @ fakes.embedding(image.astype(np.uint8).tobytes()).embedding
            for image in masked
        ]
        np.testing.assert_allclose(scores["clip"].parts, cosines, atol=1e-6)

        drawn = variant.generated["learned"]
        pictures = [pixels_of(world.deps.store.get(address)) for address in drawn.artifacts]
        prompts = [f"An image of {text}"] * 2
        for picture, prompt, seed in zip(pictures, prompts, drawn.seeds, strict=True):
            noise = np.random.default_rng(fakes.seed_of(prompt, seed)).integers(0, 256, (16, 16, 3), np.uint8)
            np.testing.assert_array_equal(picture, noise)
        activations = [fakes.maps_of(world.deps.store.get(a))[FEATURE].mean() for a in drawn.artifacts]
        np.testing.assert_allclose(drawn.activations, activations)
        assert scores["synthetic_activation"].value == pytest.approx(np.mean(activations))
        labels = [1] * len(activations) + [0] * len(negatives)
        assert scores["auroc"].value == pytest.approx(roc_auc_score(labels, [*activations, *negatives]))


def test_the_record_says_what_it_is_of(world: World):
    plan = world.plan()
    result = run(world, plan)
    assert (result.feature, result.alive, result.outcome) == (FEATURE, True, "ok")
    assert result.frequency == 0.25
    assert [image.digest for image in result.test_images] == [top.digest for top in world.test.top(FEATURE, 3)]
    for record, image in zip(result.explain_images, best_images(world, "explain", FEATURE), strict=True):
        dense = np.zeros(fakes.PATCHES, np.float32)
        dense[list(record.positions)] = record.values
        np.testing.assert_array_equal(dense, fakes.maps_of(image)[FEATURE])
    assert dict(result.provenance.sets) == {"explain": world.explain.set_hash, "test": world.test.set_hash}
    assert dict(result.provenance.models) == plan.models
    assert result.provenance.settings["steering.alpha"] == "2.0"
    assert result.provenance.settings["test_index"] == world.test.id
    assert {"explain", "generate", "activate", "segment", "embed", "score"} <= set(result.stage_seconds)


def test_two_runs_are_equal_and_the_second_is_a_look_up(world: World, tmp_path: Path):
    plan = world.plan(scores=ALL_SCORES, variants=[*METHODS, "control_random", "control_permuted"])
    first = run(world, plan)
    calls = sum(len(made) for made in world.services.vlm.calls.values())
    again = run(world, plan)
    assert sum(len(made) for made in world.services.vlm.calls.values()) == calls
    assert without_timings(first).SerializeToString(deterministic=True) == without_timings(again).SerializeToString(
        deterministic=True
    )
    fresh = stage.make_deps(tmp_path / "fresh", fakes.clients())
    for name in ("explain", "test"):
        stage.build_index(fresh, world.images / name, name)
    anew = explain_feature(plan, FEATURE, fresh, Hooks())
    assert without_timings(anew) == without_timings(first)
    assert without_timings(first) != first


def test_another_seed_draws_other_images_of_the_same_texts(world: World):
    one, two = (by_name(run(world, world.plan(seed=seed)))["steering"] for seed in (0, 1))
    assert one.text == two.text
    assert set(one.generated["learned"].artifacts).isdisjoint(two.generated["learned"].artifacts)


def test_seeds_depend_on_everything_but_the_variant():
    parts = [(0, "1", "star", 0), (1, "1", "star", 0), (0, "2", "star", 0), (0, "1", "ring", 0), (0, "1", "star", 1)]
    seeds = {image_seed(*part) for part in parts}
    assert len(seeds) == len(parts)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_equal_texts_are_judged_once(world: World):
    texts = {name: GivenTexts(by_feature={FEATURE: "a star"}) for name in ("mine", "hers")}
    result = by_name(run(world, world.plan(variants=["mine", "hers"], texts=texts)))
    assert result["mine"].scores == result["hers"].scores
    assert result["mine"].generated == result["hers"].generated
    services = world.services
    assert len(services.generator.rows("generate")) == 2
    assert len(services.segmenter.rows("segment")) == 3
    assert len(services.clip.rows("text")) == 1
    assert not services.vlm.calls["explain"]


def test_what_does_not_depend_on_the_variant_is_done_once(world: World):
    run(world, world.plan())
    assert len(world.services.clip.rows("image")) == 3
    assert len(world.services.sae.rows("features")) == 1


def test_a_dead_feature(world: World):
    result = run(world, world.plan(scores=ALL_SCORES, feature_ids=[fakes.DEAD]), fakes.DEAD)
    assert result.outcome == "dead"
    for variant in result.variants:
        assert variant.outcome == "dead"
        assert {score.outcome for score in variant.scores.values()} == {"dead"}
        assert not any(score.HasField("value") for score in variant.scores.values())
    assert not world.services.vlm.calls["explain"]


def test_missing_texts_have_scores_without_values(world: World):
    texts = {"mine": GivenTexts(by_feature={FEATURE: "a star"}), "hers": GivenTexts(by_feature={FEATURE + 1: "x"})}
    result = by_name(run(world, world.plan(variants=["mine"], texts=texts)))
    assert result["hers"].outcome == "not_given"
    assert {score.outcome for score in result["hers"].scores.values()} == {"no_text"}
    assert not result["hers"].generated
    assert all(score.HasField("value") for score in result["mine"].scores.values())


def test_no_detection_is_a_counted_zero(world: World):
    texts = {"mine": GivenTexts(by_feature={FEATURE: "nothing"})}
    score = by_name(run(world, world.plan(variants=["mine"], texts=texts)))["mine"].scores["iou"]
    assert (score.outcome, score.value, list(score.parts)) == ("no_detection", 0.0, [0.0] * 3)
    assert score.reason == "no detection in 3 of 3 images"


def test_no_negatives_is_an_outcome(world: World):
    stage.build_index(world.deps, world.images / "test", "bare", reference=0)
    scores = by_name(run(world, world.plan(test_set="bare")))["steering"].scores
    assert scores["auroc"].outcome == "no_negatives"
    assert not scores["auroc"].HasField("value")
    assert scores["synthetic_activation"].outcome == "ok"


def test_too_few_test_images_are_outcomes(world: World):
    """A test set of one image: some features have one top image there, some none."""
    single = world.root / "single"
    single.mkdir()
    (single / "0.png").write_bytes((world.images / "test" / "000.png").read_bytes())
    index = stage.build_index(world.deps, single, "single")
    plan = world.plan(test_set="single")
    found = [i for i in range(fakes.S) if index.top(i, 1)]
    missing = [i for i in range(fakes.S) if not index.top(i, 1) and i != fakes.DEAD]
    some, none = (by_name(run(world, plan, features[0]))["steering"].scores for features in (found, missing))
    assert some["iou"].reason == "1 of 3 images have S > 0"
    for name in ("iou", "clip"):
        assert some[name].HasField("value")
        assert none[name].outcome == "too_few_images"
        assert not none[name].HasField("value")
    assert none["auroc"].HasField("value")


@pytest.mark.parametrize(
    ("service", "model", "failed"),
    [
        ("generator", "generate", {"synthetic_activation", "auroc"}),
        ("segmenter", "segment", {"iou"}),
        ("clip", "text", {"clip"}),
        ("clip", "image", {"clip"}),
        ("sae", "maps", {"synthetic_activation", "auroc"}),
    ],
)
@pytest.mark.parametrize("error", [InvalidInputError("TEXT: no"), ServingError("broken")])
def test_refusals_fail_their_scores_alone(world: World, service: str, model: str, failed: set[str], error: Exception):
    getattr(world.services, service).faults[model] = [error] * 9
    result = run(world, world.plan())
    assert result.outcome == "ok"
    for variant in result.variants:
        assert variant.outcome == "ok"
        for name, score in variant.scores.items():
            assert score.outcome == ("failed" if name in failed else "ok")
            assert score.HasField("value") == (name not in failed)
            assert (str(error) in score.reason) == (name in failed)


def test_a_feature_without_any_explanation_has_failed(world: World):
    world.services.vlm.faults["explain"] = [InvalidInputError("PROMPT: no")] * 9
    result = run(world, world.plan())
    assert result.outcome == "failed"
    assert {variant.outcome for variant in result.variants} == {"failed"}


@pytest.mark.parametrize(("service", "model"), [("vlm", "explain"), ("sae", "features"), ("segmenter", "segment")])
def test_a_service_that_stays_away_releases_the_item(world: World, service: str, model: str):
    plan = world.plan()
    getattr(world.services, service).faults[model] = [UnavailableError("down")] * 99
    with pytest.raises(TransientError, match="down"):
        run(world, plan)
    getattr(world.services, service).faults.clear()
    made = len(world.services.vlm.rows("explain"))
    assert run(world, plan).outcome == "ok"
    if service == "segmenter":  # what was finished before is not made again
        assert len(world.services.vlm.rows("explain")) == made


def test_a_changed_model_fails_loudly(world: World):
    plan = world.plan()
    world.services.sae.salt = "retrained"
    with pytest.raises(PermanentError, match="not served"):
        run(world, plan)


def test_a_changed_image_fails_the_feature(world: World, tmp_path: Path):
    folder = stage.draw_folder(tmp_path / "own", 5, 9)
    index = stage.build_index(world.deps, folder, "own")
    plan = world.plan(explain_set="own")
    feature = next(i for i in range(fakes.S) if index.top(i, 1))
    (folder / index.top(feature, 1)[0].path).write_bytes(b"other")
    with pytest.raises(PermanentError, match="build it again"):
        run(world, plan, feature)


def test_cancelling_stops_between_stages(world: World):
    stop = threading.Event()

    def stage_done(stage: str, seconds: float) -> None:
        if stage == "explain":
            stop.set()

    with pytest.raises(CancelledItem):
        run(world, world.plan(), cancelled=stop.is_set, stage=stage_done)
    assert not world.services.generator.calls["generate"]


def test_explanations_come_before_their_scores(world: World):
    early: list[VariantResult] = []
    result = run(world, world.plan(), explanation=early.append)
    assert {variant.variant: variant.text for variant in early} == {v.variant: v.text for v in result.variants}
    assert not any(variant.scores for variant in early)


def test_the_handler_stores_the_record_and_counts_outcomes(world: World):
    stages: list[str] = []
    plan = world.plan().model_dump_json()
    done = run_feature(
        ItemContext("job", str(FEATURE), plan, 1, lambda: False, lambda s, _: stages.append(s)), world.deps
    )
    result = load_result(done.artifact, world.deps.store)
    assert (done.outcome, result.feature) == ("ok", FEATURE)
    counted = Counter({name: count for name, count in done.outcomes.items() if name.endswith("/ok")})
    assert counted["steering/ok"] == 1
    assert counted["auroc/ok"] == 5
    assert stages == ["features", "images", "render", "explain", "generate", "activate", "segment", "embed", "score"]


def test_raw_directions_are_explained_and_not_scored(world: World):
    plan = world.plan(choose=False)
    raw = RawDirection.check(list(range(1, fakes.D + 1)), "mean difference", plan)
    result = explain_feature(plan, raw, world.deps, Hooks(), Priority.INTERACTIVE)
    variants = by_name(result)
    assert (result.feature, result.direction, result.outcome) == (-1, "mean difference", "ok")
    assert variants["steering"].text
    assert variants["topk_masks"].outcome == "no_feature"
    for variant in result.variants:
        assert {score.outcome for score in variant.scores.values()} == {"no_feature"}


def test_many_features_at_once(world: World):
    plan = world.plan()
    alone = [without_timings(run(world, plan, feature)) for feature in range(4)]
    shutil.copytree(world.images / "artifacts", world.root / "fresh")  # the indexes, without the features' stages
    fresh = stage.make_deps(world.root / "fresh", fakes.clients())
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda feature: explain_feature(plan, feature, fresh, Hooks()), range(4)))
    assert [without_timings(result) for result in together] == alone
