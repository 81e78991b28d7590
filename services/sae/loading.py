"""From settings to served models."""

import logging
from collections.abc import Sequence
from typing import Any

from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.check import Inspection, check_images, inspect, mean_norm
from services.sae.codes import SparseEncoder
from services.sae.encoder import ImageEncoder
from services.sae.model import FeaturesModel, IndexModel, MapsModel, ResidualModel, ScoreModel
from services.sae.opening import Tower, layer_of, open_sae
from services.sae.settings import SaeSettings
from services.serving.device_modules import DeviceModules
from services.serving.images import Picture
from services.serving.model import ServedModel
from services.serving.provenance import digest_text

logger = logging.getLogger(__name__)


def load(settings: SaeSettings) -> Sequence[ServedModel[Any, Any]]:
    """The models. Raises ValueError (bad layer, unknown VLM, mismatched widths), CheckpointError and CheckError."""
    sae, tower = open_sae(settings), Tower.of(settings)
    layer = layer_of(settings, sae)
    preprocess = tower.preprocessor()
    codes = SparseEncoder(sae, tower.device)
    encoder = ImageEncoder(tower.cut(layer), preprocess, codes, settings.images_per_pass)
    seen = _inspection(settings, sae, encoder, tower)
    digest = tower.digest(layer)
    facts = {
        "layer": str(layer),
        "dict_size": str(sae.size),
        "activation_dim": str(sae.width),
        "grid": "{}x{}".format(*encoder.subject.grid),
        "subject_digest": digest,
        "sae_digest": sae.digest,
        "sae_format": sae.format,
        "activation": str(sae.activation),
        "frequency_source": _frequency_source(sae, seen),
        **_norm(settings, sae, seen),
        **({"check": settings.check if settings.check == "off" else "no images"} if seen is None else seen.facts),
    }
    # what the check saw is no part of the version: the models answer alike without it
    version = digest_text(digest, sae.digest, preprocess.description, str(tower.dtype), settings.attention)
    models: tuple[ServedModel[Any, Any], ...] = (
        FeaturesModel(sae, sae.digest, facts, None if seen is None else seen.figures.frequency),
        ScoreModel(encoder, version, facts),
        MapsModel(encoder, sae.size, version, facts),
        ResidualModel(encoder, version, facts),
        IndexModel(encoder, sae.size, version, facts),
    )
    resident = DeviceModules(encoder.subject.tower, *codes.tensors())
    for model in models[1:]:  # `features` is answered from main memory
        model.resident = resident
    return models


def _inspection(settings: SaeSettings, sae: SaeCheckpoint, encoder: ImageEncoder, tower: Tower) -> Inspection | None:
    images: Sequence[Picture] = [] if settings.check == "off" else check_images(settings.check_images)
    if sae.awaits_scale:
        raise CheckpointError(f"{sae.awaits_scale}; set `input_scale` to it{_suggested(sae, encoder, images)}")
    if settings.check == "off":
        return None
    if not images:
        logger.warning("the SAE is not checked: give images in `check_images`, or install scikit-learn for its two")
        return None
    return inspect(
        sae,
        encoder,
        images,
        least=settings.check_r2,
        scale=settings.input_scale or 1.0,
        last=tower.last_block,
        streams=lambda upto: tower.streams(upto, list(encoder.pixels(images))),
        verdict=settings.check,
    )


def _suggested(sae: SaeCheckpoint, encoder: ImageEncoder, images: Sequence[Picture]) -> str:
    if not images:
        return ""
    scale = sae.width**0.5 / mean_norm(encoder.residuals(images))
    return f": {scale:.4g} on {len(images)} check images"


def _norm(settings: SaeSettings, sae: SaeCheckpoint, seen: Inspection | None) -> dict[str, str]:
    """E‖z‖ from the settings, the SAE's files or the check's images, and which of these."""
    if settings.mean_residual_norm is not None:
        found, source = settings.mean_residual_norm, "setting"
    elif sae.mean_residual_norm is not None:
        found, source = sae.mean_residual_norm, "files"
    elif seen is not None:
        found, source = seen.mean_residual_norm, f"{seen.images} check images"
        logger.warning(
            "the SAE's files tell no mean_residual_norm: taken as %s from %s; set it if known", found, source
        )
    else:
        found, source = float("nan"), "unknown"
        logger.warning("the SAE's files tell no mean_residual_norm: set it, or give alpha in raw units only")
    return {"mean_residual_norm": repr(found), "mean_residual_norm_source": source}


def _frequency_source(sae: SaeCheckpoint, seen: Inspection | None) -> str:
    """Where the frequencies of `features` come from; unless from the files, every feature counts as alive."""
    if sae.frequency is not None:
        return "files"
    return "unknown" if seen is None else f"{seen.images} check images"
