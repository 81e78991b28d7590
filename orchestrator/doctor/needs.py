"""The profile's [needs]: what each service needs of a card and of the disk, as its author computed it."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from orchestrator.profile import ProfileSection


class Need(BaseModel):
    """Of one service; 0 is nothing worth mentioning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: float = Field(default=0, ge=0, description="of the accelerator, in GiB: weights and the largest batch")
    disk: float = Field(default=0, ge=0, description="downloads of the hub, in GB")


class Needs(ProfileSection):
    """Override by `STEERSCOPE_NEEDS_<SERVICE>__MEMORY`."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_NEEDS_")

    vlm: Need = Need()
    sae: Need = Need()
    generator: Need = Need()
    segmenter: Need = Need()
    clip: Need = Need()

    def of(self, service: str) -> Need:
        """The need of a service. Raises AttributeError for another name."""
        found: Need = getattr(self, service)
        return found
