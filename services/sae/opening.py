"""From settings to the SAE and to the encoder it reads, as yet unchecked."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.check.blocks import last_block, streams
from services.sae.checkpoint import load_checkpoint
from services.sae.settings import SaeSettings
from services.serving.device import resolve_device, resolve_dtype
from services.serving.provenance import digest_text
from services.serving.weights import Source
from services.subject import Preprocessor, Subject, family_of_checkpoint, load_cut_tower, tower_digest

logger = logging.getLogger(__name__)


def open_sae(settings: SaeSettings) -> SaeCheckpoint:
    """The SAE of the settings, whose overrides enter its digest; decoder rows of length 1 where possible.

    Raises CheckpointError.
    """
    source = Source.parse(settings.sae)
    sae = load_checkpoint(source.location, settings.sae_subfolder, revision=source.revision, kind=settings.sae_format)
    overrides = (settings.subtract_b_dec, settings.input_scale)
    if settings.subtract_b_dec is not None:
        sae = replace(sae, subtracts_b_dec=settings.subtract_b_dec)
    if settings.input_scale is not None:
        sae = sae.of_scaled(settings.input_scale)
    if overrides != (None, None):
        sae = replace(sae, digest=digest_text(sae.digest, *map(str, overrides)))
    unit = sae.of_unit_rows()
    if unit is not sae:
        norms = sae.directions.norm(dim=1)
        logger.info("decoder rows of length %.3g to %.3g made 1, the codes times as much", norms.min(), norms.max())
    return unit


def layer_of(settings: SaeSettings, sae: SaeCheckpoint) -> int:
    """The block after which the SAE reads. Raises CheckpointError if nobody tells it, or two tell different ones."""
    layer = sae.layer if settings.layer is None else settings.layer
    if layer is None:
        raise CheckpointError("the SAE's files tell no layer; set `layer` to the block it was trained on")
    if sae.layer not in (None, layer):
        raise CheckpointError(f"setting `layer` is {layer}, the SAE was trained on block {sae.layer}")
    return layer


@dataclass(frozen=True)
class Tower:
    """The vision tower of the settings' `model`: loaded up to the block that is asked for."""

    source: Source
    device: torch.device
    dtype: torch.dtype
    attention: str

    @classmethod
    def of(cls, settings: SaeSettings) -> "Tower":
        device = resolve_device(settings.device)
        return cls(Source.parse(settings.model), device, resolve_dtype(settings.dtype, device), settings.attention)

    def cut(self, layer: int) -> Subject:
        """The subject cut after block `layer`. Raises ValueError."""
        return load_cut_tower(
            self.source.location,
            layer,
            device=self.device,
            dtype=self.dtype,
            attention=self.attention,
            revision=self.source.revision,
        )

    def preprocessor(self) -> Preprocessor:
        """Makes pixels of pictures."""
        return Preprocessor.load(self.source.location, self._family, revision=self.source.revision)

    def digest(self, layer: int) -> str:
        """12 hex digits over the weights up to block `layer`."""
        return tower_digest(self.source.location, layer, self._family, revision=self.source.revision)

    @property
    def last_block(self) -> int:
        """The number of the encoder's last block."""
        return last_block(self.source)

    def streams(self, upto: int, pixels: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
        """Residuals [patches, d] after each block 0 … `upto`: another copy of the tower, gone when they are read."""
        yield from streams(self.cut(upto), pixels)

    @cached_property
    def _family(self) -> type[Subject]:
        return family_of_checkpoint(self.source.location, revision=self.source.revision)
