"""The orchestrator's own environment: installed alone, it has no torch and its programs start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A fresh virtual environment with nothing but the `orchestrator` extra, at the locked versions."""
    folder = tmp_path_factory.mktemp("orchestrator") / "venv"
    uv = [sys.executable, "-m", "uv"]
    env = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    interpreter = folder / "bin" / "python"
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, folder], check=True, env=env)
    install = [*uv, "pip", "install", "--quiet", "--python", interpreter, "--constraint", ROOT / "requirements.lock"]
    done = subprocess.run([*install, f"{ROOT}[orchestrator]"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return interpreter


def run(python, *arguments, cwd):
    return subprocess.run([python, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_there_is_no_torch(python, tmp_path):
    found = run(
        python,
        "-c",
        "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('transformers'))",
        cwd=tmp_path,
    )
    assert found.stdout.split() == ["None", "None"]


@pytest.mark.parametrize("program", ["orchestrator.cli", "orchestrator.api", "orchestrator.worker"])
def test_its_programs_start(python, tmp_path, program):
    arguments = (
        ("-m", program, "--help")
        if program != "orchestrator.cli"
        else ("-c", "from orchestrator.cli import main; main()")
    )
    done = run(python, *arguments, *(["--help"] if program == "orchestrator.cli" else []), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
