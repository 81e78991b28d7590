"""The static viewer inside an exported folder, where this installation has a viewer."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_MODULE = "orchestrator.viewer.static_site"


def write_static_viewer(data: Any, folder: Path) -> bool:
    """Have the viewer write its pages into `folder`; False, and nothing, where there is no viewer.

    `data` is what `orchestrator.viewer.static_site.write_site` takes.
    """
    try:
        site = importlib.import_module(_MODULE)
    except ModuleNotFoundError as error:
        if error.name is None or not _MODULE.startswith(error.name):
            raise  # the viewer is there and lacks something
        return False
    site.write_site(data, folder)
    return True
