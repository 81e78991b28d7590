"""The demo's sample and its anchor rows."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo.anchors import anchor_texts, choose_features, derange
from orchestrator.pipeline.defaults import JobDefaults
from orchestrator.pipeline.variants import METHODS
from services.serving.profile import load_profile


class NumberJudge:
    def interpretable(self):
        return range(100, 110)

    def truth_texts(self):
        return {feature: f"text {feature}" for feature in self.interpretable()}


@given(st.integers(2, 50), st.integers(0, 10))
def test_nothing_stays_in_its_place(count, seed):
    order = derange(count, seed)
    assert sorted(order) == list(range(count))
    assert all(place != other for place, other in enumerate(order))


def test_validation_features_are_not_shown():
    kept = choose_features(NumberJudge(), None, seed=1, without=(100, 104, 7))
    assert kept == [101, 102, 103, 105, 106, 107, 108, 109]
    assert set(choose_features(NumberJudge(), 4, seed=1, without=kept[4:])) <= {100, 104, *kept[:4]}


def test_the_sample_is_drawn_by_the_seed_from_the_interpretable():
    drawn = choose_features(NumberJudge(), 4, seed=1)
    assert drawn == choose_features(NumberJudge(), 4, seed=1)
    assert drawn != choose_features(NumberJudge(), 4, seed=2)
    assert len(set(drawn)) == 4 and set(drawn) <= set(range(100, 110))
    assert choose_features(NumberJudge(), None, seed=1) == choose_features(NumberJudge(), 99, seed=1)


def test_shuffled_texts_are_the_truth_of_others():
    features = choose_features(NumberJudge(), 5, seed=0)
    texts = anchor_texts(NumberJudge(), features, seed=0)
    truth, shuffled = texts["truth"].by_feature, texts["shuffled"].by_feature
    assert sorted(truth.values()) == sorted(shuffled.values())
    assert all(truth[feature] != shuffled[feature] for feature in features)


def test_the_microworlds_jobs_have_the_papers_methods_and_the_mean_residual():
    variants = JobDefaults.resolve(load_profile("microworld").section("jobs")).variants
    assert [name for name in variants if name in METHODS] == list(METHODS)
    assert set(variants) - set(METHODS) == {"steering_residual"}
