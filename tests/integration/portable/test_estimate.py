"""The estimate of a job against the job itself: what was said to be asked is what was asked, row by row."""

from collections import Counter
from collections.abc import Iterator

import pytest

from orchestrator.client import InvalidRequestError
from orchestrator.estimate.dry import DryDeps
from orchestrator.estimate.here import Here, estimate
from orchestrator.estimate.history import read_history
from orchestrator.estimate.rates import measure
from orchestrator.estimate.rehearsal import rehearse, spread
from orchestrator.pipeline.variants import VARIANTS
from orchestrator.remote import Replica, collect
from orchestrator.remote.replicas import ModelLoad
from protos.v1 import jobs_pb2 as pb
from tests.integration.portable.place import Place
from tests.unit.pipeline import stage

pytestmark = pytest.mark.integration
# A permuted control is steered as another feature is, and the fakes' oracle draws what the other one draws: in a world
# of twelve features the cache would spare more than any estimate knows.
SPEC = pb.JobSpec(
    feature_ids=range(8),
    variants=[name for name in VARIANTS if name != "control_permuted"],
    scores=["iou", "clip", "synthetic_activation", "auroc"],
    texts={"mine": pb.GivenTexts(by_feature={0: "a dog", 3: "a cat"})},
    generated_images=2,
)
REQUEST = pb.EstimateRequest(spec=SPEC)


@pytest.fixture
def place(redis_server, tmp_path) -> Iterator[Place]:
    made = Place(redis_server, tmp_path / "place")
    made.index()
    yield made
    made.close()


def asked(place: Place) -> Counter[str]:
    services = {"vlm", "sae", "generator", "segmenter", "clip", "oracle_generator", "oracle_segmenter"}
    return Counter(
        {
            f"{name}.{model}": sum(len(rows) for rows, _ in calls)
            for name in services
            for model, calls in getattr(place.services, name).calls.items()
        }
    )


def rows(told: pb.EstimateResponse, pick: str = "high") -> Counter[str]:
    return Counter({one.model: round(getattr(one.rows, pick)) for one in told.stages if one.model != "worker"})


def test_what_is_said_is_what_is_asked(place):
    collect(place.deps.clients, place.deps.cache)  # how features live is asked once for the whole installation
    before, blobs = asked(place), place.blobs()
    told = place.client.estimate(SPEC)
    looked_up = asked(place) - before
    assert set(looked_up) == {"sae.features"} and place.blobs() == blobs  # nothing was computed, nothing written
    before = asked(place)
    assert (told.items, told.rehearsed) == (8, 8)
    place.run(SPEC)
    assert +(asked(place) - before) == +rows(told)  # the fakes' texts are all different: the high one
    assert rows(told, "low")["generator.generate"] < rows(told)["generator.generate"]
    assert told.generated_images.high == rows(told)["generator.generate"]


def test_what_ran_once_is_in_the_cache(place):
    place.run(SPEC)
    told = place.client.estimate(SPEC)
    assert not +rows(told)
    assert {one.cached_share for one in told.stages if one.model != "worker"} == {1.0}
    half = pb.JobSpec()
    half.CopyFrom(SPEC)
    half.seed = 9  # other images of the same texts; explanations stay
    told = place.client.estimate(half)
    assert rows(told)["vlm.explain"] == 8 < rows(told)["generator.generate"]  # control_random hangs on the seed


def test_what_was_never_measured_is_unknown_and_says_how_to_know_it(place):
    told = place.client.estimate(SPEC)
    assert not told.HasField("seconds") and not told.HasField("disk_bytes")
    served = [one for one in told.stages if one.model != "worker"]
    assert not any(one.HasField("device_seconds") or one.HasField("seconds_per_row") for one in served)
    assert any(note.startswith("vlm.explain: no replica is ready") for note in told.notes)
    assert any("no worker is alive" in note for note in told.notes)


def replicas(place: Place, latency: float) -> list[Replica]:
    """As if every model had answered 100 rows, one after another."""
    loads: dict[str, list[ModelLoad]] = {}
    for model in collect(place.deps.clients, place.deps.cache).versions:
        service, _, name = model.partition(".")
        loads.setdefault(service, []).append(ModelLoad(name, 100, 0, 100, 100, 0.0, 100 * latency))
    return [Replica(service, "127.0.0.1:1", "ready", tuple(models)) for service, models in loads.items()]


def test_seconds_from_known_rates(place):
    here = Here(replicas(place, 0.5), place.reader, threads=4)
    told = estimate(REQUEST, here, place.deps, stage.profile(), lambda: False)
    explain = next(one for one in told.stages if one.model == "vlm.explain")
    assert explain.seconds_per_row == 0.5 and explain.device_seconds.likely == pytest.approx(explain.rows.likely * 0.5)
    slowest = max(
        sum(one.device_seconds.likely for one in told.stages if one.model.startswith(f"{service}."))
        for service in ("vlm", "sae", "generator", "segmenter", "clip")
    )
    assert told.seconds.low <= told.seconds.likely <= told.seconds.high
    assert told.seconds.likely >= slowest
    gone = [Replica(one.service, one.address, "ready") for one in here.replicas]  # started anew: they have done nothing
    again = estimate(REQUEST, Here(gone, place.reader, 4), place.deps, stage.profile(), lambda: False)
    assert again.seconds == told.seconds  # the artifact store remembers


def test_an_unmeasured_model_with_a_replica_wants_a_probe(place):
    idle = [Replica(one.service, one.address, "ready") for one in replicas(place, 1.0)]
    told = estimate(REQUEST, Here(idle, place.reader, 4), place.deps, stage.profile(), lambda: False)
    assert any("steerscope estimate --measure" in note for note in told.notes) and not told.HasField("seconds")


def test_finished_jobs_tell_of_texts_and_pictures_and_imported_ones_do_not(place, redis_server, tmp_path):
    job = place.run(SPEC)
    found = read_history(place.reader, place.deps.store)
    assert found.records == 8 and set(found.worker_seconds) == {"images", "render", "score"}
    assert 0 < found.distinct_share <= 1 and found.picture_bytes > 50
    other = Place(redis_server, tmp_path / "other")
    try:
        other.client.bring(place.client.export(job.id))
        assert read_history(other.reader, other.deps.store).records == 0
    finally:
        other.close()


def test_an_index(place):
    request = pb.EstimateRequest(index=pb.IndexSpec(images=str(place.root / "test"), name="again"))
    blobs = place.blobs()
    told = estimate(request, Here(replicas(place, 0.25), place.reader, 2), place.deps, stage.profile(), lambda: False)
    assert told.items == 4 and rows(told) == Counter({"sae.index": 8, "sae.score": 7})  # 8 + 8 + 4 images by threes
    assert told.seconds.likely >= (8 + 7) * 0.25
    assert {name for name in place.blobs() if not name.startswith("rates")} == set(blobs)


def test_a_request_has_one_task(place):
    with pytest.raises(InvalidRequestError, match="spec, index: none given"):
        place.client.estimate()
    with pytest.raises(InvalidRequestError, match="variants"):
        place.client.estimate(pb.JobSpec(feature_ids=[1], variants=["guessing"]))


def test_the_rehearsed_are_spread_over_all():
    assert spread(tuple(range(100)), 3) == [0, 50, 99]
    assert spread((5, 6), 3) == [5, 6]


def test_a_rehearsal_counts_dead_features_as_free(place):
    plan = place.deps and stage.make_plan(place.deps, feature_ids=[11], scores=["none"])
    dry = DryDeps.of(place.deps)
    tally, faults = rehearse(plan, dry, lambda: False)
    assert set(tally.asked) == {"sae.features"} and not faults


def test_rates_add_over_replicas(place):
    loads = [Replica("vlm", f"127.0.0.1:{i}", "ready", (ModelLoad("explain", 2, 0, 8, 4, 1.0, 2.0),)) for i in (1, 2)]
    found = measure(loads, {"vlm.explain": "v", "clip.text": "w"}, place.deps.store)
    rate = found["vlm.explain"]
    assert (rate.replicas, rate.rows, rate.mean_batch, rate.seconds_per_row) == (2, 16, 2.0, 0.25)
    assert rate.call_seconds == pytest.approx(2 / 4 + 4 / 8)
    assert not found["clip.text"].measured
