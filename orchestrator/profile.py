"""A section of the profile that concerns the orchestrator, as typed settings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Self, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from services.serving.profile import ProfileError, merged

Section = TypeVar("Section", bound="ProfileSection")
_KEPT = 64


class ProfileSection(BaseSettings):
    """Precedence: environment (`STEERSCOPE_<SECTION>_<KEY>`) > profile > default. Subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, and nothing else: `resolve` has asked the environment."""
        return (init_settings,)

    @classmethod
    def resolve(cls, section: Mapping[str, Any]) -> Self:
        """Settings from the section and the environment. Raises ProfileError, which names the key."""
        prefix = str(cls.model_config.get("env_prefix", "")).lower()
        environment = tuple(sorted(item for item in os.environ.items() if item[0].lower().startswith(prefix)))
        found: Self = _resolved(cls, json.dumps(section, sort_keys=True, default=str), environment)
        return found


@lru_cache(maxsize=_KEPT)
def _resolved(kind: type[Section], section: str, environment: tuple[tuple[str, str], ...]) -> Section:
    """Kept, as every Submit asks for the same ones, and this is a third of its work.

    `environment` is there to tell answers apart; pydantic reads it by itself.
    """
    given = EnvSettingsSource(kind, env_nested_delimiter="__")()
    try:
        return kind(**merged(json.loads(section), given))
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ProfileError(f"profile settings ({prefix}* in the environment): {'; '.join(lines)}") from error
