"""What a plan needs to know of the served models: versions, widths, the residual norm, and which features live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.remote.clients import ServiceClients
from orchestrator.store import ARRAYS, StageCache
from services.clip import spec as clip
from services.generator import spec as generator
from services.sae import spec as sae
from services.segmenter import spec as segmenter
from services.serving.errors import UnknownModelError
from services.serving.spec import ModelSpec
from services.vlm import spec as vlm

MODELS: dict[str, tuple[ModelSpec[Any, Any], ...]] = {
    "vlm": (vlm.EXPLAIN,),
    "sae": (sae.FEATURES, sae.SCORE, sae.MAPS, sae.RESIDUAL, sae.INDEX),
    "generator": (generator.GENERATE,),
    "segmenter": (segmenter.SEGMENT,),
    "clip": (clip.TEXT, clip.IMAGE),
    "oracle_generator": (generator.GENERATE,),
    "oracle_segmenter": (segmenter.SEGMENT,),
}
# Served by newer services only: a job that needs one is refused without it, others never notice.
OPTIONAL = frozenset({"sae.residual"})
_TIMEOUT = 120.0


class FactsError(ValueError):
    """The services do not fit together, or lack a fact. The message names the services and the remedy."""


@dataclass(frozen=True)
class ModelFacts:
    """The served models at one moment. `alive` bool [s], `frequency` float32 [s]."""

    versions: Mapping[str, str]  # "service.model" → version
    grid: str  # "8x8", rows x columns
    layer: int
    dict_size: int
    activation_dim: int
    mean_residual_norm: float  # NaN: the service does not know it
    subject_digest: str
    alive: npt.NDArray[np.bool_]
    frequency: npt.NDArray[np.float32]

    def has(self, service: str) -> bool:
        """Whether the deployment has this service."""
        return any(name.startswith(f"{service}.") for name in self.versions)


def collect(clients: ServiceClients, cache: StageCache) -> ModelFacts:
    """Ask all services. Raises FactsError if explainer and SAE differ in their subject, ServingError if one is down."""
    versions = _versions(clients)
    told, explainer = clients.sae.facts(sae.INDEX), clients.vlm.facts(vlm.EXPLAIN)
    for name in ("subject_digest", "layer", "grid", "activation_dim"):
        if _fact(told, "sae", name) != _fact(explainer, "vlm", name):
            raise FactsError(
                f"{name}: sae has {told[name]!r}, vlm has {explainer[name]!r}; steering needs one subject cut at one "
                "layer: start both services with the same profile"
            )
    size = int(_fact(told, "sae", "dict_size"))
    life = _life(clients, cache, versions["sae.features"], size)
    return ModelFacts(
        versions=versions,
        grid=told["grid"],
        layer=int(told["layer"]),
        dict_size=size,
        activation_dim=int(told["activation_dim"]),
        mean_residual_norm=float(_fact(told, "sae", "mean_residual_norm")),
        subject_digest=told["subject_digest"],
        alive=life["alive"],
        frequency=life["frequency"],
    )


def _versions(clients: ServiceClients) -> dict[str, str]:
    versions: dict[str, str] = {}
    for service, specs in MODELS.items():
        if getattr(clients, service) is None:
            continue
        for spec in specs:
            name = f"{service}.{spec.name}"
            try:
                versions[name] = clients.get(service).version(spec)
            except UnknownModelError:
                if name not in OPTIONAL:
                    raise
    return versions


def _fact(facts: Mapping[str, str], service: str, name: str) -> str:
    if name not in facts:
        raise FactsError(f"{name}: the {service} service does not tell it; update the service")
    return facts[name]


def _life(clients: ServiceClients, cache: StageCache, version: str, size: int) -> Mapping[str, npt.NDArray[Any]]:
    """Which features live and how often they fire, asked once per version of the SAE."""

    def ask() -> dict[str, npt.NDArray[Any]]:
        infos = clients.sae.infer(
            sae.FEATURES, [sae.FeatureRow(i) for i in range(size)], timeout=_TIMEOUT, version=version
        )
        return {
            "alive": np.array([info.alive for info in infos], np.bool_),
            "frequency": np.array([info.frequency for info in infos], np.float32),
        }

    return cache.cached("life", {"sae": version, "dict_size": size}, ARRAYS, ask)
