"""Settings of the clip service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class ClipSettings(ServiceSettings):
    """Which CLIP and which sentence model; the defaults are those of METHOD §6."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_CLIP_")

    port: int = Field(8005, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    max_batch_size: int = Field(256, ge=1, description="most rows per computed batch (a model's spec may say less)")
    images_per_pass: int = Field(
        64, ge=1, description="images that CLIP embeds at once; fewer where they do not fit into memory"
    )
    model: str = Field(
        "ViT-L-14",
        description="a name of open_clip, or a model in its own form: folder, package:… or hf-hub:owner/name@revision",
    )
    pretrained: str = Field(
        "openai", description="weights for a name of open_clip: its tag, or a file; unused for the other forms"
    )
    sentence_model: str = Field(
        "sentence-transformers/all-mpnet-base-v2",
        min_length=1,
        description="a sentence-transformers model: folder, package:… or hub id, which @revision pins",
    )
