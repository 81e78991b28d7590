"""The profile's [labels]: who answers questions about texts, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from orchestrator.labels.prompts import OWN_PROMPTS
from orchestrator.profile import ProfileSection
from services.serving.profile import Profile


class LabelSettings(ProfileSection):
    """`class`, the world's own labeller, is read beside these (`labeller_of`)."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_LABELS_")

    prompts: str = Field(OWN_PROMPTS, description="folder with subject.txt, abstraction.txt, cluster.txt")
    max_new_tokens: int = Field(32, ge=1, le=1024, description="most tokens of an answer")
    questions_per_item: int = Field(32, ge=1, le=1024, description="questions that a worker takes at once")


def settings_of(profile: Profile) -> LabelSettings:
    """The section's settings. Raises ProfileError."""
    return LabelSettings.resolve({key: value for key, value in _section(profile).items() if key != "class"})


def labeller_of(profile: Profile) -> str:
    """`package.module:Class` of the profile's own labeller; "" where the explainer answers."""
    return str(_section(profile).get("class", ""))


def _section(profile: Profile) -> Mapping[str, Any]:
    return profile.section("labels")
