"""From settings to the served model. Backends by name; a name with a colon is a class given by configuration."""

from collections.abc import Callable, Mapping

from services.generator.backend import Backend, DrawerBackend
from services.generator.drawing import Drawing
from services.generator.model import GenerateModel
from services.generator.settings import GeneratorSettings
from services.serving.plugin import choose, identity, instantiate
from services.serving.profile import resolve_path
from services.serving.provenance import digest_text
from services.serving.weights import values_for, weights_digest


def load(settings: GeneratorSettings) -> tuple[GenerateModel]:
    """The model of the service. Raises ValueError when a setting is wrong."""
    return (GenerateModel(choose(settings.backend, BACKENDS, _configured)(settings)),)


def _configured(settings: GeneratorSettings) -> Backend:
    drawer = instantiate(settings.backend, settings.backend_options)
    version = identity(drawer, settings.backend, settings.backend_options)
    return DrawerBackend(drawer, settings.backend, version)


def _diffusers(settings: GeneratorSettings) -> Backend:
    # Late: a service with a configured class needs neither torch nor diffusers.
    from services.generator.diffusion import DiffusionBackend, load_pipeline
    from services.serving.device import resolve_device, resolve_dtype

    weights, device = resolve_path(settings.model), resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)
    chosen = settings.model_dump(include={"steps", "guidance", "size", "max_sequence_length"})
    drawing = values_for(weights, Drawing, chosen)
    pipeline = load_pipeline(weights, t5=settings.t5, device=str(device), dtype=dtype, offload=settings.offload)
    version = digest_text(weights_digest(weights), repr(drawing), str(settings.t5), str(dtype))
    return DiffusionBackend(pipeline, drawing, version)


BACKENDS: Mapping[str, Callable[[GeneratorSettings], Backend]] = {"diffusers": _diffusers}
