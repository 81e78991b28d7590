"""From settings to served models."""

import logging
from collections.abc import Sequence
from typing import Any

from services.sae.checkpoint import CheckpointError, SaeCheckpoint, load_checkpoint
from services.sae.encoder import ImageEncoder
from services.sae.model import FeaturesModel, IndexModel, MapsModel, ResidualModel, ScoreModel
from services.sae.settings import SaeSettings
from services.sae.topk import TopKEncoder
from services.serving.device import resolve_device, resolve_dtype
from services.serving.model import ServedModel
from services.serving.profile import resolve_path
from services.serving.provenance import digest_text
from services.subject import Preprocessor, family_of_checkpoint, load_cut_tower, tower_digest

logger = logging.getLogger(__name__)


def load(settings: SaeSettings) -> Sequence[ServedModel[Any, Any]]:
    """The models. Raises ValueError (bad layer, unknown VLM, mismatched widths) and CheckpointError."""
    path, device = resolve_path(settings.model), resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    checkpoint = load_checkpoint(resolve_path(settings.sae), settings.sae_subfolder)
    layer = _layer(settings, checkpoint)
    subject = load_cut_tower(path, layer, device=device, dtype=dtype, attention=settings.attention)
    family = family_of_checkpoint(path)
    preprocess = Preprocessor.load(path, family)
    encoder = ImageEncoder(subject, preprocess, TopKEncoder(checkpoint, device), settings.images_per_pass)
    digest = tower_digest(path, layer, family)
    facts = {
        "layer": str(layer),
        "dict_size": str(checkpoint.size),
        "activation_dim": str(checkpoint.width),
        "grid": "{}x{}".format(*subject.grid),
        "mean_residual_norm": _norm(settings, checkpoint),
        "subject_digest": digest,
        "sae_digest": checkpoint.digest,
    }
    version = digest_text(digest, checkpoint.digest, preprocess.description, str(dtype), settings.attention)
    return (
        FeaturesModel(checkpoint, checkpoint.digest, facts),
        ScoreModel(encoder, version, facts),
        MapsModel(encoder, checkpoint.size, version, facts),
        ResidualModel(encoder, version, facts),
        IndexModel(encoder, checkpoint.size, version, facts),
    )


def _layer(settings: SaeSettings, checkpoint: SaeCheckpoint) -> int:
    layer = checkpoint.layer if settings.layer is None else settings.layer
    if layer is None:
        raise CheckpointError("config.json: has no trainer.layer; set `layer` to the block the SAE was trained on")
    if checkpoint.layer not in (None, layer):
        raise CheckpointError(f"setting `layer` is {layer}, the SAE was trained on block {checkpoint.layer}")
    return layer


def _norm(settings: SaeSettings, checkpoint: SaeCheckpoint) -> str:
    norm = settings.mean_residual_norm or checkpoint.mean_residual_norm
    if norm is None:
        logger.warning("the SAE's config.json has no mean_residual_norm: set it, or give alpha in raw units only")
        return "nan"
    return repr(norm)
