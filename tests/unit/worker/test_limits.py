"""Limits that must fit together: Celery's, the leases', the calls'."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from orchestrator.queue.app import make_app
from orchestrator.settings import OrchestratorSettings
from services.serving.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
CELERY = make_app(OrchestratorSettings()).conf


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_serializer", "json"),
        ("result_serializer", "json"),
        ("event_serializer", "json"),
        ("accept_content", ["json"]),
        ("task_ignore_result", True),
        ("result_backend", None),
        ("task_acks_late", True),
        ("worker_prefetch_multiplier", 1),
        ("worker_disable_prefetch", True),
        ("worker_pool", "threads"),  # gRPC hangs after a fork
        ("task_create_missing_queues", False),
    ],
)
def test_celery_only_carries_ids(name, value):
    assert CELERY[name] == value


def test_no_running_item_is_delivered_again():
    longest = OrchestratorSettings().stage_timeout_seconds + OrchestratorSettings().stage_retry_seconds
    assert CELERY.broker_transport_options["visibility_timeout"] >= 5 * longest  # stages of one item


def test_leases_and_attempts():
    settings = OrchestratorSettings()
    assert (settings.lease_seconds, settings.max_attempts) == (30, 3)
    with pytest.raises(ValueError, match="lease_renew_seconds"):
        OrchestratorSettings(lease_seconds=30, lease_renew_seconds=16)


def test_a_connection_that_ages_leaves_the_longest_call_its_time():
    grace = ServiceSettings().max_connection_age_grace_seconds
    assert grace > OrchestratorSettings().stage_timeout_seconds


def test_kombu_is_one_that_survives_a_restart_of_redis():
    """Before 5.7 a worker hangs after it."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["orchestrator"]
    lowest = {re.split("[>=<]", line)[0]: re.search(r">=(\d+)\.(\d+)", line) for line in wanted}
    for package in ("kombu", "celery"):
        found = lowest[package]
        assert found is not None and (int(found[1]), int(found[2])) >= (5, 7), package
        assert tuple(map(int, version(package).split(".")[:2])) >= (5, 7)
