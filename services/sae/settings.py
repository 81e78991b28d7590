"""Settings of the sae service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class SaeSettings(ServiceSettings):
    """Where the SAE and its subject lie. Environment prefix STEERSCOPE_SAE_."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_SAE_", protected_namespaces=())

    port: int = Field(8002, ge=0, le=65535)
    model: str = Field(description="the VLM whose vision tower is the subject: folder, package: location or hub id")
    sae: str = Field(description="the SAE (ae.pt, config.json, …): folder, package: location or hub id")
    sae_subfolder: str = Field("", description="the run inside `sae`, such as a folder of a hub repository")
    layer: int | None = Field(None, ge=0, description="block N, 0-based; default what the SAE's config.json says")
    mean_residual_norm: float | None = Field(None, gt=0, description="E‖z‖ at the layer, if config.json lacks it")
    attention: str = Field("sdpa", description="transformers' name of the attention implementation")
    images_per_pass: int = Field(32, ge=1, description="images that go through the encoder at once")
