"""The model services as the orchestrator sees them: who they are, what they tell of themselves, and how calls fail."""

from orchestrator.remote.calls import Calls, Fault, RefusedInput
from orchestrator.remote.clients import Service, ServiceClients
from orchestrator.remote.facts import FactsError, ModelFacts, collect
from orchestrator.remote.replicas import Board, Replica

__all__ = [
    "Board",
    "Calls",
    "FactsError",
    "Fault",
    "ModelFacts",
    "RefusedInput",
    "Replica",
    "Service",
    "ServiceClients",
    "collect",
]
