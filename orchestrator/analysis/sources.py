"""Where the pictures and the reference scores of a job's features come from: the indexes and the artifact store."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from orchestrator.pipeline.grid import Grid
from orchestrator.pipeline.render import Interpolation, Pixels, heatmap, masked
from orchestrator.store.artifacts import ArtifactNotFoundError, ArtifactStore
from protos.v1.results_pb2 import TopImage


@dataclass(frozen=True)
class View:
    """One top image in the three ways a person looks at it, uint8 [h, w, 3] each."""

    raw: Pixels
    masked: Pixels
    heatmap: Pixels
