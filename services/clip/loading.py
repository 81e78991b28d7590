"""From settings to the served models: one CLIP behind both."""

from pathlib import Path

from services.clip.encoder import load_encoder
from services.clip.model import ImageModel, TextModel
from services.clip.settings import ClipSettings
from services.serving.device import resolve_device, resolve_dtype
from services.serving.profile import resolve_path
from services.serving.provenance import digest_files, digest_text


def load(settings: ClipSettings) -> tuple[TextModel, ImageModel]:
    """The models of the service. Raises ValueError when a setting is wrong."""
    name, device = resolve_path(settings.model), resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    encoder = load_encoder(name, settings.pretrained, str(device), dtype)
    # A tag of open_clip names one published set of weights, so that name and tag are an identity.
    weights = digest_files(name) if Path(name).is_dir() else digest_text(name, settings.pretrained)
    version = digest_text(weights, str(dtype))
    return TextModel(encoder, version), ImageModel(encoder, version)
