"""docs/security.md: its commands run, its settings and files exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.access import Access
from orchestrator.settings import OrchestratorSettings
from services.serving.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]


def test_the_commands_make_what_a_deployment_needs(tmp_path: Path):
    (block,) = re.findall(r"<!-- commands: .* -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    script = f"set -eu\n{block}\nenv | grep ^STEERSCOPE_ > environment\n"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    made = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    given = {
        name.removeprefix("STEERSCOPE_").lower(): str(tmp_path / value)
        for name, value in made.items()
        if (tmp_path / value).is_file()
    }
    settings = OrchestratorSettings.model_validate(given)
    server, client = settings.server_tls(), settings.client_tls()
    assert server is not None and client is not None and settings.api_token_file is not None
    server.load()
    client.context()
    assert Access.model_validate(given).bearer("127.0.0.1:1")
    names = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "certs/api.pem", "-noout", "-ext", "subjectAltName"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "DNS:steerscope.example.org" in names and "IP Address:127.0.0.1" in names


def test_every_setting_and_file_of_the_page_exists():
    known = {name.upper() for kind in (OrchestratorSettings, Access, ServiceSettings) for name in kind.model_fields}
    named = set(re.findall(r"STEERSCOPE_([A-Z_]+[A-Z])\b", PAGE)) | set(re.findall(r"`…_([A-Z_]+[A-Z])`", PAGE))
    short = {name for name in named if not any(one == name or one.endswith(f"_{name}") for one in known)}
    assert {name.removeprefix("VLM_") for name in short} <= known
    for file in re.findall(r"`((?:services|orchestrator|deploy)/[\w/.]+)`", PAGE):
        assert (ROOT / file).exists(), file
