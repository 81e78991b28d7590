"""How long processes take to leave after SIGTERM, at their defaults."""

import importlib

from orchestrator.api import server as api
from orchestrator.settings import OrchestratorSettings
from orchestrator.worker import worker
from services.serving import server
from services.serving.settings import ServiceSettings


def settings_of(name: str) -> type[ServiceSettings]:
    """The settings of a model service."""
    found: type[ServiceSettings] = getattr(
        importlib.import_module(f"services.{name}.settings"), f"{name.capitalize()}Settings"
    )
    return found


def service_seconds(name: str) -> float:
    """Notice, the longest wait for what is inside, answers on their way."""
    fields = settings_of(name).model_fields
    waits = [fields[field].default for field in ("drain_wait_seconds", "drain_timeout_seconds")]
    return float(sum(waits)) + server._FLUSH_SECONDS


def orchestrator_seconds() -> float:
    """The slower of API and worker."""
    drain = float(OrchestratorSettings.model_fields["drain_seconds"].default)
    return drain + max(api._NOTICE_SECONDS, worker._STOP_SECONDS)
