"""Settings of simulated services; read from the profile and from STEERSCOPE_<SERVICE>_… as those of real ones."""

from functools import cache

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class SimulatedSettings(ServiceSettings):
    """How long answers take, and how large the simulated SAE is."""

    latency_ms: float = Field(0.0, ge=0, description="time of a batch, whatever it holds")
    row_latency_ms: float = Field(0.0, ge=0, description="time of a batch per row, on top")
    features: int = Field(64, ge=1, description="width of the SAE (sae)")
    dead_every: int = Field(0, ge=0, description="every n-th feature never fires (sae); 0: all are alive")


@cache
def settings_of(service: str) -> type[SimulatedSettings]:
    """The settings class of one service, with its prefix in the environment."""
    config = SettingsConfigDict(env_prefix=f"STEERSCOPE_{service.upper()}_")
    return type(f"Simulated{service.title()}Settings", (SimulatedSettings,), {"model_config": config})
