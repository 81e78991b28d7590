"""A section of the profile that concerns the orchestrator, as typed settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from services.serving.profile import ProfileError, merged


class ProfileSection(BaseSettings):
    """Precedence: environment (`STEERSCOPE_<SECTION>_<KEY>`) > profile > default. Subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_nested_delimiter="__")

    @classmethod
    def resolve(cls, section: Mapping[str, Any]) -> Self:
        """Settings from the section and the environment. Raises ProfileError, which names the key."""
        environment = EnvSettingsSource(cls, env_nested_delimiter="__")()
        try:
            return cls(**merged(section, environment))
        except ValidationError as error:
            prefix = str(cls.model_config.get("env_prefix", ""))
            lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
            raise ProfileError(f"profile settings ({prefix}* in the environment): {'; '.join(lines)}") from error
