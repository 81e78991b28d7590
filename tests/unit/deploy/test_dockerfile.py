"""The images run as nobody special, and PID 1 hears SIGTERM."""

import re
from pathlib import Path

import pytest

DOCKERFILE = (Path(__file__).parents[3] / "deploy/Dockerfile").read_text()
STAGES = {text.split("\n")[0].split()[-1]: text for text in re.split(r"(?m)^FROM ", DOCKERFILE)[1:]}


@pytest.mark.parametrize("name", ["orchestrator", "service"])
def test_images_run_without_root(name):
    users = re.findall(r"(?m)^USER (\S+)", STAGES[name])
    assert users and users[-1] not in ("root", "0")


def test_signals_reach_python():
    assert '"exec python -m services.$SERVICE' in STAGES["service"]
    assert 'ENTRYPOINT ["steerscope"]' in STAGES["orchestrator"]
