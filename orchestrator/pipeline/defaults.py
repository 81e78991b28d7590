"""The profile's [jobs], what a job computes where its JobSpec says nothing, and [validation], where α was chosen."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from orchestrator.pipeline.prompts import PAPER_PROMPTS
from orchestrator.pipeline.render import Blank, Interpolation, Tint
from orchestrator.pipeline.variants import METHODS
from orchestrator.profile import ProfileSection

Protocol = Literal["clean", "released"]
SCORES = ("iou", "clip", "synthetic_activation", "auroc", "oracle_iou", "oracle_auroc")
# score → the service it needs beside the sae
SCORE_SERVICES = {
    "iou": "segmenter",
    "clip": "clip",
    "synthetic_activation": "generator",
    "auroc": "generator",
    "oracle_iou": "oracle_segmenter",
    "oracle_auroc": "oracle_generator",
}


class SteeringSettings(BaseModel):
    """An intervention (METHOD §5, Eq. 5). `alpha` in multiples of the mean residual norm, or in raw residual units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(allow_inf_nan=False)
    unit: Literal["norm", "raw"] = "norm"
    mode: Literal["addition", "replacement"] = "addition"
    positions: Literal["all", "active"] = "all"
    blank: Blank = "white"

    def raw_alpha(self, mean_residual_norm: float | None, alpha: float | None = None) -> float:
        """α (another one, if given) in raw residual units. Raises ValueError under `norm` without the norm."""
        chosen = self.alpha if alpha is None else alpha
        if self.unit == "raw":
            return chosen
        if mean_residual_norm is None:
            raise ValueError("alpha is in multiples of a mean residual norm that is not known")
        return chosen * mean_residual_norm


class JobDefaults(ProfileSection):
    """Defaults of a job. Override by `STEERSCOPE_JOBS_<KEY>`, `STEERSCOPE_JOBS_STEERING__ALPHA`."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_JOBS_")

    protocol: Protocol = "clean"
    variants: tuple[str, ...] = tuple(METHODS)
    scores: tuple[str, ...] = SCORES[:4]
    steering: SteeringSettings = SteeringSettings(alpha=2.0)
    informed: SteeringSettings = SteeringSettings(alpha=0.5, positions="active")
    top_k: int = Field(5, ge=1, description="top images shown to the explainer and scored on")
    generated_images: int = Field(3, ge=1, le=256, description="N of Eq. 10")
    explain_set: str = "explain"
    test_set: str = "test"
    seed: int = Field(0, ge=0, lt=2**63)
    prompt_prefix: str = "A realistic image of "
    max_new_tokens: int = Field(100, ge=1, le=1024)
    segmenter_boxes: Literal["union", "first"] = "union"
    prompts: str = Field(PAPER_PROMPTS, description="folder or package: location of steering, masks and heatmaps.txt")
    heatmap_strength: float = Field(0.6, gt=0, le=1, description="the tint's share where a map is highest")
    heatmap_tint: Tint = "green"
    heatmap_interpolation: Interpolation = "bicubic"
    max_side: int = Field(1024, ge=32, le=4096, description="longest side of a rendered picture")


class ValidationSettings(ProfileSection):
    """The features on which α was chosen, and the SAE that they are of (its `sae.features` version; "" is any).

    A list made with another SAE says nothing about the features of this one.
    """

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_VALIDATION_")

    features: tuple[int, ...] = ()
    sae: str = ""

    def fits(self, sae: str) -> bool:
        """Whether the list is of the served SAE."""
        return not self.features or self.sae in ("", sae)
