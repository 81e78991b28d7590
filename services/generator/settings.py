"""Settings of the generator service."""

from typing import Any, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class GeneratorSettings(ServiceSettings):
    """Which generator, and how it draws. Drawing values left open come from `steerscope.json` beside the weights."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_GENERATOR_")

    port: int = Field(8003, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    backend: str = Field("diffusers", description="diffusers, or package.module:ClassName of a class that draws")
    backend_options: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of that class")
    model: str = Field(
        "stabilityai/stable-diffusion-3.5-medium",
        description="a Stable Diffusion 3 or 3.5: folder, package:… or hub id, which @revision pins",
    )
    t5: bool = Field(True, description="load the third text encoder (T5-XXL)")
    offload: Literal["none", "model", "sequential"] = Field("none", description="what waits in main memory")
    images_per_pass: int = Field(8, ge=1, description="images drawn at once; fewer where they do not fit into memory")
    steps: int | None = Field(None, ge=1, le=200, description="denoising steps")
    guidance: float | None = Field(None, ge=0, le=50, description="classifier-free guidance")
    size: int | None = Field(None, ge=16, le=2048, description="side of the image in pixels")
    max_sequence_length: int | None = Field(None, ge=1, le=512, description="tokens of the T5 part of the prompt")
