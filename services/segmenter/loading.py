"""From settings to the served model. Backends by name; a name with a colon is a class given by configuration."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from services.segmenter.backend import Backend, MaskSourceBackend
from services.segmenter.model import SegmentModel
from services.segmenter.settings import SegmenterSettings
from services.serving.plugin import choose, identity, instantiate
from services.serving.profile import resolve_path
from services.serving.provenance import digest_files, digest_text
from services.serving.weights import Source, values_for, weights_digest


def load(settings: SegmenterSettings) -> tuple[SegmentModel]:
    """The model of the service. Raises ValueError when a setting is wrong."""
    return (SegmentModel(choose(settings.backend, BACKENDS, _configured)(settings)),)


def _configured(settings: SegmenterSettings) -> Backend:
    source = instantiate(settings.backend, settings.backend_options)
    version = identity(source, settings.backend, settings.backend_options)
    return MaskSourceBackend(source, settings.backend, version)


def _grounded_sam(settings: SegmenterSettings) -> Backend:
    # Late: a service with a configured class needs neither torch nor transformers.
    import torch

    from services.segmenter.detectors import Thresholds, load_detector
    from services.segmenter.embeddings import EmbeddingCache
    from services.segmenter.grounded import GroundedSam
    from services.segmenter.sam import Sam, load_sam
    from services.serving.device import resolve_device, resolve_dtype
    from services.serving.device_modules import DeviceModules

    device = resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    # Weights stay float32 (parts of both models need it); only the arithmetic is of the lower precision.
    autocast = functools.partial(torch.autocast, device.type, dtype=dtype, enabled=dtype != torch.float32)
    source, config = Source.parse(settings.detector), resolve_path(settings.sam_config)
    chosen = settings.model_dump(include={"box_threshold", "text_threshold", "max_boxes"})
    thresholds = values_for(source.location, Thresholds, chosen)
    checkpoint = checkpoint_file(Source.parse(settings.sam_checkpoint))
    detector = load_detector(source, thresholds, str(device), autocast, settings.images_per_pass)
    sam = load_sam(config, checkpoint, postprocessing=settings.sam_postprocessing, device=str(device))
    version = digest_text(
        weights_digest(source.location, source.revision),
        digest_files(config) if Path(config).is_file() else config,
        digest_files(checkpoint),
        repr(thresholds),
        str(settings.sam_postprocessing),
        str(dtype),
    )
    cache = EmbeddingCache(settings.embedding_cache_bytes)
    return GroundedSam(
        detector,
        Sam(sam, cache, settings.sam_batch_size, autocast),
        thresholds.max_boxes,
        version,
        DeviceModules(detector.model, sam, forget=cache.clear),
    )


def checkpoint_file(source: Source) -> str:
    """A local file as it is; `owner/name/file` from the hub, at its revision. Raises ValueError for anything else."""
    if Path(source.location).is_file():
        return source.location
    owner, _, rest = source.location.partition("/")
    name, _, file = rest.partition("/")
    if not (owner and name and file):
        raise ValueError(f"setting 'sam_checkpoint': {str(source)!r} is neither a file nor owner/name/file")
    from huggingface_hub import hf_hub_download

    return str(hf_hub_download(f"{owner}/{name}", file, revision=source.revision))


BACKENDS: Mapping[str, Callable[[SegmenterSettings], Backend]] = {"grounded-sam2": _grounded_sam}
