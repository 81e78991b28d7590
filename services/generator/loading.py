"""From settings to the served model. Backends by name; a name with a colon is a class given by configuration."""

from collections.abc import Callable, Mapping

from services.generator.backend import Backend, DrawerBackend
from services.generator.drawing import Drawing
from services.generator.model import GenerateModel
from services.generator.settings import GeneratorSettings
from services.serving.plugin import choose, identity, instantiate
from services.serving.provenance import digest_text
from services.serving.weights import Source, values_for, weights_digest


def load(settings: GeneratorSettings) -> tuple[GenerateModel]:
    """The model of the service. Raises ValueError when a setting is wrong."""
    return (GenerateModel(choose(settings.backend, BACKENDS, _configured)(settings)),)


def _configured(settings: GeneratorSettings) -> Backend:
    drawer = instantiate(settings.backend, settings.backend_options)
    version = identity(drawer, settings.backend, settings.backend_options)
    return DrawerBackend(drawer, settings.backend, version)


def _diffusers(settings: GeneratorSettings) -> Backend:
    # Late: a service with a configured class needs neither torch nor diffusers.
    from services.generator.diffusion import DiffusionBackend, load_pipeline, resident_parts
    from services.serving.device import resolve_device, resolve_dtype

    source, device = Source.parse(settings.model), resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    if settings.offload != "none" and device.type == "cpu":
        raise ValueError(f"setting 'offload': {settings.offload!r} spares an accelerator's memory, but device is cpu")
    chosen = settings.model_dump(include={"steps", "guidance", "size", "max_sequence_length"})
    drawing = values_for(source.location, Drawing, chosen)
    pipeline = load_pipeline(source, t5=settings.t5, device=str(device), dtype=dtype, offload=settings.offload)
    weights = weights_digest(source.location, source.revision)
    return DiffusionBackend(
        pipeline,
        drawing,
        digest_text(weights, repr(drawing), str(settings.t5), str(dtype)),
        images_per_pass=settings.images_per_pass,
        resident=resident_parts(pipeline, settings.offload),
    )


BACKENDS: Mapping[str, Callable[[GeneratorSettings], Backend]] = {"diffusers": _diffusers}
