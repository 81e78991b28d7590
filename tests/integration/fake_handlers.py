"""Handlers for a worker in a test: the plan says what they do, and a log file tells what they did."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.jobs.model import CancelledItem, Handler, ItemContext, ItemResult, PermanentError, TransientError
from orchestrator.settings import OrchestratorSettings


def handlers(settings: OrchestratorSettings) -> Mapping[str, Handler]:
    return {"explain": _handle}


def _handle(context: ItemContext) -> ItemResult:
    plan = json.loads(context.plan)
    with Path(plan["log"]).open("a") as log:
        log.write(f"{context.item} {context.attempt}\n")
    tries = sum(line.split()[0] == context.item for line in Path(plan["log"]).read_text().splitlines())
    mood = plan.get("moods", {}).get(context.item, "")
    if mood == "down" and tries == 1:
        raise TransientError("vlm: not ready")
    if mood == "broken":
        raise KeyError("surprise")
    if mood == "impossible":
        raise PermanentError("no such feature")
    end = time.monotonic() + (60 if mood == "slow at first" and tries == 1 else plan["seconds"])
    while time.monotonic() < end:
        if context.cancelled():
            raise CancelledItem
        time.sleep(0.02)
    context.stage("fake", 0.01)
    return ItemResult("ok", f"blobs/{context.item}", {"steering/ok": 1})
