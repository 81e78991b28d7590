"""Who may import whom (ARCHITECTURE.md), held against the code; and that the orchestrator runs without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("vlm", "sae", "generator", "segmenter", "clip")

# room inside the orchestrator → what it must not import
FORBIDDEN = {
    "containers": ("jobs", "pipeline", "index", "store", "analysis", "worker", "api", "local", "cli", "remote"),
    "jobs": ("pipeline", "index", "store", "analysis", "worker", "api", "local", "cli", "client", "remote"),
    "queue": ("pipeline", "index", "store", "analysis", "worker", "api", "local", "cli", "client", "remote"),
    "store": ("jobs", "pipeline", "index", "analysis", "worker", "api", "local", "cli", "client", "remote"),
    "index": ("pipeline.feature", "analysis", "worker", "api", "local", "cli", "client"),
    "pipeline": ("analysis", "transfer", "estimate", "worker", "api", "local", "cli", "client"),
    "analysis": ("viewer", "jobs", "worker", "api", "local", "cli", "client"),
    "transfer": ("analysis", "portable", "estimate", "worker", "api", "local", "cli", "client"),
    "estimate": ("analysis", "portable", "transfer", "worker", "api", "local", "cli", "client"),
    # it meets transfer on the wire only
    "portable": ("jobs", "store", "pipeline", "index", "transfer", "estimate", "api", "local", "cli", "client"),
    "tuning": ("jobs", "worker", "api", "local", "cli"),
    "viewer": ("jobs", "worker", "api", "local", "cli", "remote"),
    "viewer/documents": ("viewer.server", "viewer.static_site", "viewer.charting", "viewer.wiring", "client"),
    "labels": ("pipeline", "index.build", "analysis", "search", "worker", "api", "local", "cli"),
    "search": ("pipeline", "index", "analysis", "labels", "worker", "api", "local", "cli"),
    "api": ("worker", "analysis", "viewer", "portable", "local", "cli"),
    "worker": ("api", "analysis", "viewer", "transfer", "portable", "estimate", "local", "cli"),
    "doctor": ("jobs", "pipeline", "index", "store", "analysis", "worker", "api", "cli", "client", "remote"),
    "local": ("jobs", "pipeline", "index", "analysis", "worker", "api", "cli"),
}
# inside analysis: pure parts know nothing of what is made of them
WITHIN_ANALYSIS = {
    "writers": ("report", "studies", "statistics", "deliver", "gather", "sources"),
    "statistics": ("studies", "deliver", "sources", "summary", "writers", "report.build", "report.cards"),
    "studies": ("report.build", "report.cards", "report.sections", "summary", "deliver", "gather", "sources"),
}


def imports_of(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no code in {folder}"
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("file", files("services"), ids=lambda path: str(path.relative_to(ROOT)))
def test_services_know_neither_the_orchestrator_nor_one_another(file):
    room = file.relative_to(ROOT).parts[1]
    others = [name for name in (*SERVICES, "microworld") if name != room]
    for name in imports_of(file):
        assert not within(name, "orchestrator"), name
        if room in (*SERVICES, "subject"):
            assert not any(within(name, f"services.{other}") for other in others), name


@pytest.mark.parametrize("file", files("orchestrator"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_orchestrator_knows_of_services_only_the_shell_and_the_specs(file):
    allowed = [f"services.{service}.spec" for service in SERVICES] + ["services.serving", "services.imagesets"]
    for name in imports_of(file):
        assert not within(name, "torch") and not within(name, "transformers"), name
        if within(name, "services"):
            parts = name.split(".")
            containers = {"services", *(f"services.{service}" for service in SERVICES)}
            assert name in containers or any(within(name, one) for one in allowed), ".".join(parts)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_inside_the_orchestrator_imports_go_one_way(room):
    for file in files(f"orchestrator/{room}"):
        for name in imports_of(file):
            assert not any(within(name, f"orchestrator.{other}") for other in FORBIDDEN[room]), f"{file.name}: {name}"


@pytest.mark.parametrize("room", WITHIN_ANALYSIS)
def test_inside_analysis_imports_go_one_way(room):
    for file in files(f"orchestrator/analysis/{room}"):
        for name in imports_of(file):
            banned = (f"orchestrator.analysis.{other}" for other in WITHIN_ANALYSIS[room])
            assert not any(within(name, one) for one in banned), f"{file.name}: {name}"


@pytest.mark.parametrize(
    "module",
    ["orchestrator.cli", "orchestrator.api.server", "orchestrator.queue.app", "services.microworld.labels"],
)
def test_importing_the_orchestrator_does_not_import_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "torch was imported"
