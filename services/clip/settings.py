"""Settings of the clip service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class ClipSettings(ServiceSettings):
    """Which CLIP; the default is that of METHOD §6."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_CLIP_")

    port: int = Field(8005, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    max_batch_size: int = Field(256, ge=1, description="most rows per computed batch (a model's spec may say less)")
    model: str = Field("ViT-L-14", description="open_clip's name, or a folder (package:…) in open_clip's own form")
    pretrained: str = Field("openai", description="open_clip's tag of the weights; unused for a folder")
