"""From settings to the served models: one CLIP behind two of them, a sentence model behind the third."""

from services.clip.encoder import load_encoder
from services.clip.model import ImageModel, SentenceModel, TextModel
from services.clip.places import find_clip, find_sentences
from services.clip.settings import ClipSettings
from services.serving.device import resolve_device, resolve_dtype
from services.serving.provenance import digest_text


def load(settings: ClipSettings) -> tuple[TextModel, ImageModel, SentenceModel]:
    """The models of the service. Raises ValueError when a setting is wrong."""
    device = resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    weights = find_clip(settings.model, settings.pretrained)
    encoder = load_encoder(weights, str(device), dtype, settings.images_per_pass)
    version = digest_text(weights.digest, str(dtype))
    folder, sentences = find_sentences(settings.sentence_model)
    return (
        TextModel(encoder, version),
        ImageModel(encoder, version),
        SentenceModel(settings.sentence_model, folder, str(device), dtype, digest_text(sentences, str(dtype))),
    )
