"""A worker's handlers that do as the pipeline does: stages, in parallel, with calls to a service (the toy)."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from orchestrator.deps import Deps
from orchestrator.jobs.model import Handler, ItemContext, ItemResult
from orchestrator.pipeline.parallel import Clock, in_parallel
from orchestrator.settings import OrchestratorSettings
from services.serving.client import ServiceClient
from tests.unit.serving.toy import TOY, row

SECRET = "a prompt that no log may hold"
log = logging.getLogger(__name__)


def handlers(settings: OrchestratorSettings) -> Mapping[str, Handler]:
    deps = Deps.connect(settings)
    clients = replace(deps.clients, vlm=ServiceClient(os.environ["TOY_TARGET"]))
    return {"explain": partial(_handle, deps=replace(deps, clients=clients))}


def _handle(context: ItemContext, deps: Deps) -> ItemResult:
    calls, clock = deps.calls(context.cancelled, {}), Clock(context.stage)

    def ask(number: int) -> int:
        log.info("a line from a thread of the stage")
        return len(calls.infer("vlm", TOY, [row(f"{SECRET} {context.item} {number}")]))

    with clock.time("explain"):
        made = in_parallel({number: partial(ask, number) for number in range(2)})
    clock.report("explain")
    with clock.time("score"):
        total = sum(made.values())
    clock.report("score")
    return ItemResult("ok", "blobs/x", {"steering/ok": total})
