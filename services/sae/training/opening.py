"""What a run works with: the cut tower and the images, opened, surveyed and split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from services.imagesets import ImageSet, open_images
from services.sae.training.checkpoints import Checkpoints
from services.sae.training.dataset import Survey, Watch, hold_out, survey
from services.sae.training.errors import TrainingError
from services.sae.training.reader import ResidualReader
from services.sae.training.settings import TrainingSettings
from services.serving.device import resolve_device, resolve_dtype
from services.serving.provenance import digest_text
from services.serving.weights import Source
from services.subject import Preprocessor, Subject, family_of_checkpoint, load_cut_tower, tower_digest


@dataclass(frozen=True)
class Place:
    """Where and in which precision is computed."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, settings: TrainingSettings) -> "Place":
        """Raises TrainingError."""
        try:
            device = resolve_device(settings.device)
            return cls(device, resolve_dtype(settings.dtype, device))
        except ValueError as error:
            raise TrainingError(f"--device: {error}") from error

    @property
    def identity(self) -> dict[str, str]:
        """Numbers differ between kinds of devices, not between two of a kind."""
        return {"device": self.device.type, "dtype": str(self.dtype).removeprefix("torch.")}


@dataclass(frozen=True)
class Side:
    """Images to train on, or to evaluate on: some of a surveyed set."""

    images: ImageSet
    survey: Survey
    chosen: list[int]

    @property
    def hash(self) -> str:
        """The set hash of the chosen ones."""
        return self.survey.hash_of(self.chosen)

    def named(self, faults: Mapping[int, str]) -> dict[str, str]:
        """Faults of images by the images' names."""
        return {self.images.names[image]: fault for image, fault in faults.items()}

    @property
    def ordered_hash(self) -> str:
        """12 hex digits that tell their order as well: a random order is one of numbers."""
        return digest_text(*(str(self.survey.digests[image]) for image in self.chosen))


@dataclass(frozen=True)
class Tower:
    """The subject, cut, with its preprocessing; `digest` is of both; `site` names the block as in the VLM's code."""

    subject: Subject
    preprocess: Preprocessor
    digest: str
    site: str

    def reader(self, side: Side, settings: TrainingSettings) -> ResidualReader:
        """Residuals of a side's images."""
        return ResidualReader(
            *(self.subject, self.preprocess, side.images, side.survey),
            per_pass=settings.images_per_pass,
            workers=settings.workers,
        )


def open_tower(settings: TrainingSettings, place: Place) -> Tower:
    """Load blocks 0 … N. Raises TrainingError: no such model, unknown family, no such block."""
    try:
        source, layer = Source.parse(settings.model), settings.layer
        path, pin = source.location, source.revision
        family = family_of_checkpoint(path, revision=pin)
        subject = load_cut_tower(
            path, layer, device=place.device, dtype=place.dtype, attention=settings.attention, revision=pin
        )
        preprocess = Preprocessor.load(path, family, revision=pin)
        digest = digest_text(tower_digest(path, layer, family, revision=pin), preprocess.description)
    except (ValueError, OSError) as error:
        raise TrainingError(f"--model or --layer: {error}") from error
    return Tower(subject, preprocess, digest, f"model.vision_tower.{family.blocks_name}.{layer}")


def open_sides(settings: TrainingSettings, checkpoints: Checkpoints, watch: Watch) -> tuple[Side, Side]:
    """The images to train on and those to evaluate on, disjoint by content. Raises TrainingError, ImageSetError."""
    images = open_images(settings.images)
    known = survey(images, settings.workers, watch, checkpoints.folder / "images.json")
    if settings.eval_images is None:
        rest, held = hold_out(known, settings.eval_share)
        return Side(images, known, rest), Side(images, known, held)
    others = open_images(settings.eval_images)
    other = survey(others, settings.workers, watch, checkpoints.folder / "eval_images.json")
    both = {known.digests[i] for i in known.usable} & {other.digests[i] for i in other.usable}
    if both:
        raise TrainingError(f"--eval-images: {len(both)} of them are in --images too; give images of their own")
    if not known.usable or not other.usable:
        empty = "--images" if other.usable else "--eval-images"
        raise TrainingError(f"{empty}: none of the images can be read; give others")
    return Side(images, known, known.usable), Side(others, other, other.usable)


def identity_of(settings: TrainingSettings, place: Place, tower: Tower, train: Side, held: Side) -> dict[str, Any]:
    """All that the weights depend on."""
    return {
        **settings.identity,
        **place.identity,
        "model_hash": tower.digest,
        "images_hash": train.ordered_hash,
        "eval_images_hash": held.ordered_hash,
    }
