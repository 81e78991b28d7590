"""Which deployment a command means."""

import pytest

from orchestrator.cli.connect import deployment, find_api
from orchestrator.local.stack import Addresses

HERE = Addresses("127.0.0.1:4711", "redis://here", "mine", "file:///here")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("STEERSCOPE_API", raising=False)
    monkeypatch.setenv("STEERSCOPE_ARTIFACTS", "s3://bucket/there")
    monkeypatch.setenv("STEERSCOPE_PROFILE", "gemma3-4b")


@pytest.mark.parametrize("api", [None, HERE.api])
def test_what_up_started_here(tmp_path, api):
    HERE.write(tmp_path)
    assert find_api(api, tmp_path) == HERE.api
    assert deployment(tmp_path, api) == ("mine", "file:///here")


def test_another_api_is_another_deployment(tmp_path):
    HERE.write(tmp_path)
    assert deployment(tmp_path, "elsewhere:8000") == ("gemma3-4b", "s3://bucket/there")


def test_without_a_stack_the_settings_count(tmp_path):
    assert deployment(tmp_path, None) == ("gemma3-4b", "s3://bucket/there")
