"""Waiting until a deployment tells that it has nothing to do."""

import time

from orchestrator.client import JobsClient
from protos.v1.jobs_pb2 import StatusResponse


def calm(client: JobsClient, seconds: float = 60) -> StatusResponse:
    """The status once its one worker runs nothing: signs of life come once a second. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while True:
        told = client.status()
        if [worker.running for worker in told.workers] == [0]:
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
