"""Export and Import: whether they are let, how many at once, and the way from the call to `orchestrator.transfer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.access import is_loopback
from orchestrator.api.faults import ForbiddenError
from orchestrator.api.validation import check_job_id, check_submit
from orchestrator.index.reader import IndexCache
from orchestrator.jobs.database import Database
from orchestrator.jobs.reader import JobReader
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from orchestrator.transfer.incoming import Incoming, Limits
from orchestrator.transfer.outgoing import Outgoing
from orchestrator.transfer.settle import settle
from protos.v1 import jobs_pb2 as pb

AT_ONCE = 2  # each import may hold a large blob in memory


class Transfers:
    """The two methods of one API process."""

    def __init__(self, settings: OrchestratorSettings, database: Database, store: ArtifactStore) -> None:
        self._settings = settings
        self._reader = JobReader(database)
        self._store = store
        self._outgoing = Outgoing(self._reader, store, IndexCache(store, roots=settings.roots()))

    def export(self, request: pb.ExportRequest) -> Iterator[pb.Part]:
        """The parts of a job."""
        check_job_id(request.job_id)
        return self._outgoing.parts(request.job_id, images=not request.without_images)

    def check_let(self) -> None:
        """Raise ForbiddenError unless callers may bring jobs here.

        An import writes words and pictures that this installation did not make among those that it made, and fills its
        disk: where only this machine's users reach the API they could do that anyway, elsewhere somebody must want it.
        """
        let = self._settings.api_imports
        if not (is_loopback(self._settings.api_host) if let is None else let):
            raise ForbiddenError(
                "this API takes no jobs from elsewhere: other machines reach it, or it was told so; whoever runs it "
                "may set STEERSCOPE_API_IMPORTS=1"
            )

    def bring(self, parts: Iterable[pb.Part]) -> pb.ImportResponse:
        """Take a job in. Raises TransferError, InvalidRequestError."""
        limits = Limits(self._settings.max_job_items, int(self._settings.api_import_max_gib * (1 << 30)))
        incoming = Incoming(self._store, limits, check_submit)
        incoming.take(parts)
        return settle(incoming, self._reader)
