"""`IndexPlan`: an IndexSpec with every choice made, from which any worker can do any shard."""

from __future__ import annotations

import re
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from orchestrator.profile import ProfileSection
from orchestrator.remote import ModelFacts
from orchestrator.store import JSON, ArtifactStore, digest_of
from protos.v1.jobs_pb2 import IndexSpec
from services.imagesets import EVERYWHERE, Part, Roots, open_images
from services.serving.profile import Profile

_NAME = re.compile(r"[\w-][\w. -]{0,59}")  # of letters that may take four bytes each
MERGE = "merge"  # the final item
Reduce = Literal["mean", "max"]


class ImageSettings(ProfileSection):
    """The profile's [images]: how image sets are indexed."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_IMAGES_")

    top_k: int = Field(10, ge=1, le=1000, description="images kept per feature; a job can use at most as many")
    reference: int = Field(
        256, ge=0, le=16_384, description="images of the fixed random sample whose scores are all stored"
    )
    test_share: float = Field(0.5, gt=0, lt=1, description="part of a place's images that its `test` split takes")
    shard_size: int = Field(256, ge=1, le=65_536, description="images per task")
    batch: int = Field(16, ge=1, le=256, description="images per call of the sae service")
    reduce: Reduce = Field("mean", description="patches to image score (METHOD §4)")
    seed: int = Field(0, ge=0, description="draws the reference sample")
    residuals: bool = Field(True, description="sum residuals by feature in the same pass: directions of activations")


class IndexPlanError(ValueError):
    """An IndexSpec that cannot be carried out; the message names the field, the rule and the remedy."""


class IndexPlan(BaseModel):
    """Everything a shard depends on. `listing` is the artifact with the images' names, `reference` a number."""

    model_config = ConfigDict(frozen=True)

    name: str
    root: str
    listing: str
    images: int
    shard_size: int
    batch: int
    top_k: int
    reduce: Reduce
    reference: int
    split: Part | None = None
    test_share: float = 0.5
    seed: int
    dict_size: int
    activation_dim: int = 0  # 0 and no residuals: indexes of before the sums
    residuals: bool = False
    grid: str
    layer: int
    subject_digest: str
    models: dict[str, str]

    @field_validator("reference", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        """Indexes of before the sample was drawn by content list its images."""
        return len(value) if isinstance(value, list | tuple) else value

    @property
    def share(self) -> float:
        """The part of the listed images that are expected to be members."""
        return {None: 1.0, "test": self.test_share, "explain": 1 - self.test_share}[self.split]

    def items(self) -> list[str]:
        """The shards, as the job's items; `MERGE` comes after them."""
        return [str(shard) for shard in range(-(-self.images // self.shard_size))]

    def shard(self, item: str) -> range:
        """The image ids of a shard."""
        start = int(item) * self.shard_size
        return range(start, min(start + self.shard_size, self.images))

    def shard_pointer(self, item: str) -> str:
        """Where a finished shard's address is kept for the merge."""
        return f"indexing/{digest_of(self.model_dump(mode='json'))}/{item}"


def plan(
    spec: IndexSpec, *, profile: Profile, facts: ModelFacts, store: ArtifactStore, roots: Roots = EVERYWHERE
) -> IndexPlan:
    """Make every choice of an IndexSpec. Raises IndexPlanError or ImageSetError; ProfileError for a bad profile."""
    settings = _settings(spec, profile)
    if not _NAME.fullmatch(spec.name):
        raise IndexPlanError(
            "name: an index needs a name of at most 60 letters, digits and any of ._ -, such as explain or test, "
            "that does not begin with a dot"
        )
    split = _split(spec)
    images = open_images(spec.images, roots=roots)
    return IndexPlan(
        name=spec.name,
        root=images.location,
        listing=store.put(JSON.encode(list(images.names)), ".json"),
        images=len(images),
        shard_size=settings.shard_size,
        batch=settings.batch,
        top_k=settings.top_k,
        reduce=settings.reduce,
        reference=settings.reference,
        split=split,
        test_share=settings.test_share,
        seed=settings.seed,
        dict_size=facts.dict_size,
        activation_dim=facts.activation_dim,
        residuals=settings.residuals,
        grid=facts.grid,
        layer=facts.layer,
        subject_digest=facts.subject_digest,
        models={name: version for name, version in facts.versions.items() if name in ("sae.index", "sae.score")},
    )


def _split(spec: IndexSpec) -> Part | None:
    if not spec.HasField("split"):
        return None
    for part in get_args(Part):
        if part == spec.split:
            return cast(Part, part)
    raise IndexPlanError(f"split: {spec.split!r} is none; give {' or '.join(get_args(Part))}, or leave it out for all")


def _settings(spec: IndexSpec, profile: Profile) -> ImageSettings:
    """The spec's own values over those of the profile."""
    defaults = ImageSettings.resolve(profile.section("images"))
    given = {field.name: value for field, value in spec.ListFields() if field.name in ImageSettings.model_fields}
    try:
        return ImageSettings(**{**defaults.model_dump(), **given})
    except ValidationError as error:
        raise IndexPlanError("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
