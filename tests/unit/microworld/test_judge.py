"""The judge reads a truth file."""

import json

import pytest

from services.microworld.judge import MicroworldJudge

FEATURES = {
    "0": {"attributes": {"color": "red", "shape": "star"}, "text": "red star pattern"},
    "1": {"attributes": {}, "text": ""},
    "10": {"attributes": {"texture": "dots"}, "text": "dots texture"},
}


@pytest.fixture
def judge(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"features": FEATURES}))
    return MicroworldJudge(path)


def test_interpretable_features_and_their_texts(judge):
    assert judge.interpretable() == [0, 10]
    assert judge.truth_texts() == {0: "red star pattern", 10: "dots texture"}


def test_truth_and_texts_speak_of_the_same_families(judge):
    assert judge.attributes(judge.truth_texts()[0]) == judge.true_attributes(0)
    assert judge.true_attributes(1) == {}


def test_a_feature_beyond_the_sae_is_named(judge):
    with pytest.raises(KeyError, match="feature: 2 is not"):
        judge.true_attributes(2)
