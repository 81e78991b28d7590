"""A running Jobs API whose backend computes nothing, and hands that play the worker."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.api.backend import Planned
from orchestrator.api.server import ApiServer
from orchestrator.client import (
    JobsClient,
)
from orchestrator.deps import Deps
from orchestrator.estimate.here import Here
from orchestrator.index.reader import IndexCache
from orchestrator.jobs.database import Database
from orchestrator.jobs.model import ItemContext, ItemResult, PermanentError
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import Claim
from orchestrator.jobs.store import JobStore
from orchestrator.labels.plan import plan as plan_labels
from orchestrator.labels.run import run_labels
from orchestrator.pipeline.plan import PlanError
from orchestrator.remote import Calls
from orchestrator.search.stored import StoredEmbedder
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, VariantResult
from services.serving.profile import Profile
from tests.redis import RedisServer
from tests.unit.pipeline import fakes

VARIANTS = ("steering", "topk_masks")


class FakeBackend:
    """Plans without services; explains from a table, and slowly where it is asked to."""

    def __init__(self, folder: Path) -> None:
        self.store = ArtifactStore(str(folder))
        self.services = fakes.clients()
        self.plans = 0
        self.stopped = threading.Event()

    def plan(self, request: pb.SubmitRequest) -> Planned:
        self.plans += 1
        if request.HasField("index"):
            return Planned("index", "{}", ["0", "1"], "merge")
        if request.HasField("label"):
            profile = Profile("test", {"labels": {"questions_per_item": 2}})
            labels = plan_labels(request.label, profile=profile, vlm=self.services.vlm, store=self.store)
            return Planned("label", labels.model_dump_json(), labels.items())
        if "unheard" in request.spec.variants:
            raise PlanError("variants", "'unheard' is unknown", "choose from steering")
        return Planned("explain", "{}", [str(feature) for feature in sorted(request.spec.feature_ids)])

    def estimate(self, request: pb.EstimateRequest, here: Here, cancelled: Callable[[], bool]) -> pb.EstimateResponse:
        return pb.EstimateResponse(items=len(request.spec.feature_ids), threads=here.threads)

    def explain(
        self, request: pb.ExplainRequest, cancelled: Callable[[], bool], explained: Callable[[VariantResult], None]
    ) -> FeatureResult:
        if request.feature == 404:
            raise PermanentError("image 7 is gone")
        result = result_of(request.feature)
        for variant in result.variants:
            explained(variant)
        if request.feature == 99:
            while not cancelled():
                time.sleep(0.01)
            self.stopped.set()
        return result

    def probe(self, request: pb.ProbeRequest, cancelled: Callable[[], bool]) -> pb.ProbeResponse:
        return pb.ProbeResponse()

    def sentences(self, cancelled: Callable[[], bool]) -> StoredEmbedder:
        return StoredEmbedder(Calls(self.services, 5, 0.1, cancelled), self.store, "fake")


def result_of(feature: int) -> FeatureResult:
    variants = [VariantResult(variant=name, outcome="ok", text=f"{name} {feature}") for name in VARIANTS]
    return FeatureResult(feature=feature, alive=True, outcome="ok", variants=variants)


class Api:
    """A running server, a client, and hands that play the worker."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.settings = OrchestratorSettings.model_validate(
            {
                "redis_url": server.url,
                "key_prefix": f"a{uuid.uuid4().hex[:8]}:",
                "api_port": 0,
                "api_threads": 8,
                "keep_alive_seconds": 0.3,
                "drain_seconds": 0.5,
                "events_kept": 100,
            }
        )
        self.backend = FakeBackend(folder)
        self.server = ApiServer(self.settings, self.backend)
        self.server.start()
        self.address = f"127.0.0.1:{self.server.port}"
        self.client = JobsClient(self.address, reconnect_seconds=20)
        self.database = Database.connect(self.settings)
        self.store = JobStore(self.database, self.settings)

    def submit(self, *features: int, request_id: str | None = None, name: str = "") -> str:
        return self.client.submit(pb.JobSpec(feature_ids=features, name=name), request_id=request_id).id

    def claim(self, job: str, item: str) -> Claim:
        claim = self.store.claim(job, item)
        assert isinstance(claim, Claim)
        return claim

    def finish(self, job: str, *features: int) -> None:
        for feature in features:
            claim = self.claim(job, str(feature))
            self.store.stage(claim, "explain", 0.5)
            address = self.backend.store.put(result_of(feature).SerializeToString(), ".pb")
            self.store.commit(claim, ItemResult("ok", address, {"steering/ok": 1}))

    def answer(self, job: str, *items: str) -> None:
        """Carry out items of a label job."""
        deps = Deps(self.settings, self.backend.store, self.backend.services, IndexCache(self.backend.store))
        for item in items:
            claim, plan = self.claim(job, item), JobReader(self.database).plan(job)
            context = ItemContext(job, item, plan, 1, lambda: False, lambda stage, seconds: None)
            self.store.commit(claim, run_labels(context, deps))

    def restart(self) -> None:
        """Drain the server, and start another one on its port."""
        port = self.server.port
        self.server.drain()
        self.server = ApiServer(self.settings.model_copy(update={"api_port": port}), self.backend)
        self.server.start()

    def close(self) -> None:
        self.client.close()
        self.server.drain()
        self.database.close()


@pytest.fixture(scope="module")
def api(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(redis_server, tmp_path_factory.mktemp("artifacts"))
    yield made
    made.close()
