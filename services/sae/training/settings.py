"""What one training run is told: a single table, from which the command line is made as well. No torch in here."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.sae.training.recipe import Recipe

_GB = 10**9


def _fraction(value: Any) -> Any:
    return float(Fraction(value)) if isinstance(value, str) else value


Share = Annotated[float, BeforeValidator(_fraction)]  # 1/32 may be written so


class TrainingSettings(BaseModel):
    """One run. Fields marked `free` may change when it is resumed: no number depends on them."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field(description="the VLM whose vision tower is read: folder, package: location, hub id[@revision]")
    layer: int = Field(ge=0, description="block N, 0-based: the site is the residual stream after it")
    images: str = Field(description="the images: a folder, or any other location of an image set")
    out: Path = Field(description="folder of the SAE; holds the checkpoints of a run until it has ended")

    dict_size: int = Field(8192, ge=1, description="s, how many features")
    k: int = Field(25, ge=1, description="features kept per patch")
    lr: float = Field(3e-4, gt=0, description="Adam's learning rate")
    beta2: float = Field(0.999, gt=0, lt=1, description="Adam's second beta; the paper says .99")
    batch: int = Field(8192, ge=1, description="patches per step")
    epochs: int = Field(1, ge=1, description="how often every image is seen")
    warmup: int = Field(1000, ge=0, description="steps over which the learning rate rises from 0")
    decay: Share = Field(0.2, ge=0, lt=1, description="last share of all steps, over which it falls to 0")
    aux: Share = Field(1 / 32, ge=0, description="weight of the auxiliary loss on silent features")
    dead_after: int = Field(10_000_000, ge=1, description="patches of silence that make a feature dead")
    seed: int = Field(0, ge=0, description="of the weights, the order of images and of patches")

    buffer_gb: float = Field(4.0, gt=0, description="size of the shuffle buffer in GB, on the device")
    images_per_pass: int = Field(32, ge=1, description="images that go through the encoder at once")
    device: str = Field("auto", description="cpu, cuda, cuda:1, …; auto = the accelerator if there is one")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="of encoder and buffer")
    attention: str = Field("sdpa", description="transformers' name of the attention implementation")

    eval_images: str | None = Field(None, description="images to evaluate on; default a share of --images, held out")
    eval_share: Share = Field(0.01, gt=0, lt=1, description="share held out by content hash, unless --eval-images")

    checkpoint_minutes: float = Field(10.0, gt=0, description="between checkpoints", json_schema_extra={"free": True})
    checkpoint_steps: int | None = Field(
        None, ge=1, description="between checkpoints, instead of minutes", json_schema_extra={"free": True}
    )
    log_steps: int = Field(10, ge=1, description="between lines of progress.jsonl", json_schema_extra={"free": True})
    workers: int = Field(4, ge=1, description="threads that read and decode images", json_schema_extra={"free": True})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.k > self.dict_size:
            raise ValueError(f"k is {self.k}: at most dict_size {self.dict_size} features can be kept")
        return self

    @property
    def recipe(self) -> Recipe:
        """What the trainer wants of it."""
        return Recipe(**{name: getattr(self, name) for name in ("lr", "beta2", "warmup", "decay", "aux", "dead_after")})

    @property
    def buffer_bytes(self) -> int:
        """The cap of the shuffle buffer."""
        return int(self.buffer_gb * _GB)

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that the weights depend on. Of places only the content counts, which is hashed elsewhere."""
        free = {name for name, field in type(self).model_fields.items() if field.json_schema_extra}
        return self.model_dump(mode="json", exclude=free | {"out", "model", "images", "eval_images"})
