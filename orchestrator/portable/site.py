"""The static viewer inside an exported folder, where this installation has a viewer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protos.v1.jobs_pb2 import Job
from protos.v1.results_pb2 import FeatureResult

VIEWER = "orchestrator.viewer"
FOLDER = "viewer"


def write_static_viewer(job: Job, results: Sequence[FeatureResult], store: Any, client: Any, folder: Path) -> bool:
    """Have the viewer write its pages into `folder/viewer`; False, and nothing, where there is no viewer.

    `store` (an ArtifactStore) and `client` (a JobsClient) are handed on: pictures come from the one, sentence
    embeddings for the map from the other.
    """
    try:
        wiring, site = (importlib.import_module(f"{VIEWER}.{name}") for name in ("wiring", "static_site"))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{VIEWER}.wiring".startswith(error.name):
            raise  # the viewer is there and lacks something
        return False
    (folder / FOLDER).mkdir()
    site.write_site(wiring.site_data([(job, results)], store, client, job.spec.name or job.id), folder / FOLDER)
    return True
