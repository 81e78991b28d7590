"""What was measured, kept beside the models: services may be measured in runs of their own."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.gpu.fitting import Fit
from tests.bench.gpu.machine import Machine
from tests.bench.gpu.measuring import Measured
from tests.bench.gpu.work import Rate

_FILE = "results.json"


def keep(root: Path, machine: Machine, measured: Measured) -> None:
    """Add the service's figures to `root/results.json`; those of another machine or version are dropped."""
    content = _of(root, machine)
    content["services"][measured.service] = asdict(measured)
    _write(root, content)


def keep_fit(root: Path, machine: Machine, found: Fit) -> None:
    """Add what the vlm did with too little memory, likewise."""
    _write(root, _of(root, machine) | {"fit": asdict(found)})


def kept(root: Path) -> Mapping[str, Measured]:
    """What `keep` left, by service."""
    return {
        name: Measured(**{**values, "rates": tuple(Rate(**rate) for rate in values["rates"])})
        for name, values in _read(root)["services"].items()
    }


def kept_fit(root: Path) -> Fit | None:
    """What `keep_fit` left."""
    found = _read(root).get("fit")
    return Fit(**{**found, "portions": tuple(found["portions"])}) if found else None


def _of(root: Path, machine: Machine) -> dict[str, Any]:
    before = _read(root) if (root / _FILE).exists() else {}
    return before if before.get("machine") == asdict(machine) else {"machine": asdict(machine), "services": {}}


def _read(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / _FILE).read_text("utf-8"))
    return content


def _write(root: Path, content: Mapping[str, Any]) -> None:
    (root / _FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
