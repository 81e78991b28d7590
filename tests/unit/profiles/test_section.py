"""Sections of the profile as settings: precedence, errors, and that keeping them hides no change."""

import pytest
from pydantic_settings import SettingsConfigDict

from orchestrator.profile import ProfileSection
from services.serving.profile import ProfileError


class Kitchen(ProfileSection):
    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_KITCHEN_")

    pots: int = 3
    stove: str = "gas"


def test_environment_over_profile_over_default(monkeypatch):
    monkeypatch.setenv("STEERSCOPE_KITCHEN_POTS", "7")
    assert Kitchen.resolve({"pots": 5, "stove": "wood"}) == Kitchen(pots=7, stove="wood")
    assert Kitchen.resolve({}) == Kitchen(pots=7, stove="gas")


def test_a_changed_environment_or_profile_is_seen(monkeypatch):
    assert Kitchen.resolve({"pots": 5}).pots == 5
    assert Kitchen.resolve({"pots": 6}).pots == 6
    monkeypatch.setenv("steerscope_kitchen_pots", "8")  # names are read in any case
    assert Kitchen.resolve({"pots": 5}).pots == 8
    monkeypatch.delenv("steerscope_kitchen_pots")
    assert Kitchen.resolve({"pots": 5}).pots == 5


def test_the_same_question_is_answered_once():
    assert Kitchen.resolve({"pots": 5, "stove": "gas"}) is Kitchen.resolve({"stove": "gas", "pots": 5})


def test_an_error_names_key_and_prefix():
    for _ in range(2):  # errors are not kept as answers
        with pytest.raises(ProfileError, match=r"STEERSCOPE_KITCHEN_\* in the environment\): pots: .*integer"):
            Kitchen.resolve({"pots": "many"})
    with pytest.raises(ProfileError, match="pans: Extra inputs"):
        Kitchen.resolve({"pans": 1})
