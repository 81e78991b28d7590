"""A whole deployment in this process: a real Redis, the real API, the real pipeline over fakes of the services."""

import os
import uuid
from pathlib import Path

from typer.testing import CliRunner, Result

from orchestrator.api.backend import PipelineBackend
from orchestrator.api.server import ApiServer
from orchestrator.cli.main import app
from orchestrator.client import JobsClient
from orchestrator.jobs.database import Database
from orchestrator.jobs.model import ItemContext
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import Claim
from orchestrator.jobs.store import JobStore
from orchestrator.pipeline.feature import run_feature
from orchestrator.settings import OrchestratorSettings
from protos.v1 import jobs_pb2 as pb
from tests.redis import RedisServer
from tests.unit.pipeline import fakes, stage

ODD = "<script>alert(1)</script> \u202egnp.exe =cmd|'/C calc'!A0 \"q\", 'x'; \\end{document} \U0001f980\x00\r\n\u2028"
SPEC = pb.JobSpec(
    name='odd, "named" <b>',
    feature_ids=[0, 1, 2, 3, 11],
    scores=["iou", "clip", "synthetic_activation", "auroc", "oracle_iou", "oracle_auroc"],
    texts={"mine": pb.GivenTexts(by_feature={0: ODD, 1: "a nothing", 2: "plain"})},
    seed=5,
)


class Place:
    """Its own artifacts and its own keys in Redis; hands that play the worker."""

    def __init__(self, server: RedisServer, root: Path, **settings: object) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.services = fakes.clients()
        self.deps = stage.make_deps(root / "artifacts", self.services)
        own = {"redis_url": server.url, "key_prefix": f"p{uuid.uuid4().hex[:8]}:", "api_port": 0, "drain_seconds": 0.2}
        self.settings = OrchestratorSettings.model_validate({**own, **settings})
        self.backend = PipelineBackend(self.deps, stage.profile())
        self.server = ApiServer(self.settings, self.backend)
        self.server.start()
        self.address = f"127.0.0.1:{self.server.port}"
        self.client = JobsClient(self.address)
        self.database = Database.connect(self.settings)
        self.jobs, self.reader = JobStore(self.database, self.settings), JobReader(self.database)

    def index(self) -> None:
        for seed, name in enumerate(("explain", "test")):
            stage.build_index(self.deps, stage.draw_folder(self.root / name, 20, seed), name)

    def run(self, spec: pb.JobSpec, *, fail: tuple[str, ...] = (), request_id: str | None = None) -> pb.Job:
        """The job at its end; the items of `fail` broke."""
        job = self.client.submit(spec, request_id=request_id)
        plan = self.reader.plan(job.id)
        for item in list(self.reader.items(job.id)):
            claim = self.jobs.claim(job.id, item.item)
            assert isinstance(claim, Claim)
            if item.item in fail:
                assert self.jobs.fail(claim, "image 7 is <gone>, said \u202e it\n", None)
                continue
            context = ItemContext(job.id, item.item, plan, 1, lambda: False, lambda *_: None)
            assert self.jobs.commit(claim, run_feature(context, self.deps))
        return self.client.get(job.id)

    def blobs(self) -> dict[str, bytes]:
        """Everything in the artifact store but the cache of stages."""
        root = self.root / "artifacts"
        found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
        return {str(file.relative_to(root)): file.read_bytes() for file in found if "stages" not in file.parts}

    def close(self) -> None:
        self.client.close()
        self.server.drain()
        self.database.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def steerscope(place: Place, *words: str, code: int = 0) -> Result:
    """The command in this process: its output, and the fault that ended it."""
    done = CliRunner().invoke(app, [*words, "--api", place.address])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def export(place: Place, job: pb.Job, folder: Path, *options: str) -> Path:
    steerscope(place, "export", job.id, str(folder), "--without-viewer", *options)
    return folder
