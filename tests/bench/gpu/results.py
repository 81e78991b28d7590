"""What was measured, kept beside the models: services may be measured in runs of their own."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.bench.gpu.machine import Machine
from tests.bench.gpu.measuring import Measured
from tests.bench.gpu.work import Rate


def keep(root: Path, machine: Machine, measured: Measured) -> None:
    """Add the service's figures to `root/results.json`; those of another machine or version are dropped."""
    file = root / "results.json"
    before = json.loads(file.read_text("utf-8")) if file.exists() else {}
    same = before.get("machine") == asdict(machine)
    services = dict(before["services"]) if same else {}
    content = {"machine": asdict(machine), "services": services | {measured.service: asdict(measured)}}
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def kept(root: Path) -> Mapping[str, Measured]:
    """What `keep` left, by service."""
    content = json.loads((root / "results.json").read_text("utf-8"))
    return {
        name: Measured(**{**values, "rates": tuple(Rate(**rate) for rate in values["rates"])})
        for name, values in content["services"].items()
    }
