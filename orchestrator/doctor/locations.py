"""The weights that a profile names, service by service."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.doctor.context import Context
from services.serving.weights import Source

# service → the settings that name weights
_KEYS = {
    "vlm": ("model",),
    "sae": ("model", "sae"),
    "generator": ("model",),
    "segmenter": ("detector", "sam_checkpoint"),
    "clip": ("model", "sentence_model"),
}
_HUB_PREFIX = "hf-hub:"


@dataclass(frozen=True)
class Weights:
    """One location. `file` is set where one file of a repository is meant (`owner/name/file`)."""

    services: tuple[str, ...]
    key: str
    source: Source
    file: str = ""

    @property
    def area(self) -> str:
        """For findings."""
        return f"weights {'+'.join(self.services)}"


def weights_of(context: Context) -> Iterator[Weights]:
    """What the services will load, each location once. Raises ProfileError, ValueError for locations that are none."""
    found: dict[tuple[str, str], Weights] = {}
    for service in context.services:
        if ":" in str(context.setting(service, "backend") or ""):
            continue  # a class of its own stands behind the spec
        for key in _KEYS[service]:
            text = context.setting(service, key)
            if text is None or (service == "clip" and key == "model" and _is_open_clip_name(str(text))):
                continue
            one = _parse(service, key, str(text))
            before = found.get((str(one.source), one.file))
            found[str(one.source), one.file] = (
                Weights((*before.services, service), before.key, before.source, before.file) if before else one
            )
    yield from found.values()


def _is_open_clip_name(text: str) -> bool:
    """`ViT-L-14` and the like: open_clip itself knows where their weights are."""
    return "/" not in text and not text.startswith(("package:", _HUB_PREFIX))


def _parse(service: str, key: str, text: str) -> Weights:
    source = Source.parse(text)
    location, file = source.location.removeprefix(_HUB_PREFIX), ""
    if key == "sam_checkpoint" and location.count("/") >= 2 and not location.startswith(("/", ".")):
        owner, name, file = location.split("/", 2)
        location = f"{owner}/{name}"
    return Weights((service,), key, Source(location, source.revision), file)
