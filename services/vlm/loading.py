"""From settings to served models."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

from services.serving.device import resolve_device, resolve_dtype
from services.serving.device_modules import DeviceModules
from services.serving.model import ServedModel
from services.serving.provenance import digest_text
from services.serving.weights import Source, weights_digest
from services.subject import Preprocessor, subject_of, tower_digest
from services.vlm.decoding import GreedyDecoder
from services.vlm.model import CompleteModel, ExplainModel, Writer
from services.vlm.prefixes import PrefixCache
from services.vlm.prompting import Prompter
from services.vlm.quantization import quantization_config
from services.vlm.settings import VlmSettings


def load(settings: VlmSettings) -> Sequence[ServedModel[Any, Any]]:
    """`explain` and `complete` on one model. Raises ValueError (unknown family of VLMs, bad layer, missing library)."""
    source, device = Source.parse(settings.model), resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    vlm = _open(settings, source, device, dtype)
    subject = subject_of(vlm, settings.layer)
    processor = AutoProcessor.from_pretrained(source.location, revision=source.revision)
    prompter = Prompter(processor, subject.processor_options(processor.image_processor))
    preprocess = Preprocessor(processor.image_processor, type(subject))
    writer = Writer(prompter, GreedyDecoder(vlm), vlm.config.get_text_config().max_position_embeddings)
    prefixes = PrefixCache(subject, preprocess, settings.prefix_cache_bytes)
    facts = {
        "layer": str(settings.layer),
        "activation_dim": str(subject.width),
        "grid": "{}x{}".format(*subject.grid),
        "subject_digest": tower_digest(source.location, settings.layer, type(subject), revision=source.revision),
    }
    identity = [weights_digest(source.location, source.revision), str(dtype), settings.attention]
    if settings.quantization != "none":
        identity.append(settings.quantization)
    # What accelerate placed, and weights in other formats, cannot be moved to and fro.
    movable = settings.device_map is None and settings.quantization == "none"
    resident = DeviceModules(vlm, forget=prefixes.forget) if movable else None
    explain = ExplainModel(
        subject,
        prefixes,
        writer,
        images_per_pass=settings.images_per_pass,
        version=digest_text(*identity, facts["layer"]),
        facts=facts,
        resident=resident,
    )
    return explain, CompleteModel(writer, version=digest_text(*identity), facts={}, resident=resident)


def _open(settings: VlmSettings, source: Source, device: torch.device, dtype: torch.dtype) -> Any:
    transformers_logging.disable_progress_bar()  # a service's log is read by machines
    return AutoModelForImageTextToText.from_pretrained(
        source.location,
        revision=source.revision,
        dtype=dtype,
        attn_implementation=settings.attention,
        device_map=settings.device_map or {"": device},  # straight onto the device, without a copy in main memory
        quantization_config=quantization_config(settings.quantization, dtype),
    ).eval()
