"""Settings of the vlm service."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class VlmSettings(ServiceSettings):
    """Which model explains, and where its encoder is cut. Environment prefix STEERSCOPE_VLM_."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_VLM_")

    port: int = Field(8001, ge=0, le=65535)
    model: str = Field(description="the VLM: folder, package: location or hub id, which @revision pins")
    layer: int = Field(ge=0, description="block N, 0-based, whose output is steered; that of the SAE")
    attention: str = Field("sdpa", description="transformers' name of the attention implementation")
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = Field(
        None, description="how accelerate spreads the model over all devices; default: all of it on `device`"
    )
    quantization: Literal["none", "int8", "int4"] = Field(
        "none", description="of the language model's weights; the vision encoder keeps its own"
    )
    images_per_pass: int = Field(64, ge=1, description="images that go through the encoder at once")
    prefix_cache_bytes: int = Field(512 << 20, ge=0, description="residual streams of images kept after block N")
