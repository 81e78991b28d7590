"""Settings of the segmenter service."""

from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class SegmenterSettings(ServiceSettings):
    """Which detector and which SAM 2; the defaults are those of METHOD §6.

    Thresholds left open come from `steerscope.json` beside the detector's weights.
    """

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_SEGMENTER_")

    port: int = Field(8004, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    backend: str = Field("grounded-sam2", description="grounded-sam2, or package.module:ClassName of a class")
    backend_options: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of that class")
    detector: str = Field(
        "IDEA-Research/grounding-dino-base",
        description="Grounding DINO, OWLv2 or OWL-ViT: folder, package:… or hub id, which @revision pins",
    )
    images_per_pass: int = Field(
        8, ge=1, description="images that the detector sees at once; fewer where they do not fit into memory"
    )
    box_threshold: float | None = Field(None, ge=0, le=1, description="confidence above which a box counts")
    text_threshold: float | None = Field(None, ge=0, le=1, description="confidence of its words (Grounding DINO)")
    max_boxes: int | None = Field(None, ge=1, le=1024, description="boxes per row that become masks, best first")
    sam_config: str = Field(
        "configs/sam2.1/sam2.1_hiera_l.yaml", description="name inside the sam2 package, or a YAML file"
    )
    sam_checkpoint: str = Field(
        "facebook/sam2.1-hiera-large/sam2.1_hiera_large.pt", description="file, package:… or owner/name/file@revision"
    )
    sam_postprocessing: bool = Field(True, description="sam2's: an unstable mask gives way to a multi-mask output")
    sam_batch_size: int = Field(8, ge=1, description="images that SAM encodes at once, or fewer")
    embedding_cache_bytes: int = Field(1 << 30, ge=0, description="device memory for SAM's image embeddings")
