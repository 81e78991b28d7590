"""The model services as the orchestrator sees them: who they are, what they tell of themselves, and how calls fail."""

from orchestrator.remote.calls import Calls, Fault, RefusedInput
from orchestrator.remote.clients import Service, ServiceClients
from orchestrator.remote.facts import FactsError, ModelFacts, collect

__all__ = ["Calls", "FactsError", "Fault", "ModelFacts", "RefusedInput", "Service", "ServiceClients", "collect"]
