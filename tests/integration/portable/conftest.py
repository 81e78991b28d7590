"""One deployment with a finished job, its export, and an empty deployment per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protos.v1 import jobs_pb2 as pb
from tests.integration.portable.place import SPEC, Place, export
from tests.redis import redis_server

__all__ = ["redis_server"]


@pytest.fixture(scope="package")
def here(redis_server, tmp_path_factory) -> Iterator[Place]:
    place = Place(redis_server, tmp_path_factory.mktemp("here"))
    place.index()
    yield place
    place.close()


@pytest.fixture(scope="package")
def job(here) -> pb.Job:
    job: pb.Job = here.run(SPEC, fail=("3",), request_id="the-job")
    return job


@pytest.fixture(scope="package")
def exported(here, job, tmp_path_factory) -> Path:
    return export(here, job, tmp_path_factory.mktemp("exported") / "dataset", "--neuronpedia")


@pytest.fixture
def there(redis_server, tmp_path) -> Iterator[Place]:
    place = Place(redis_server, tmp_path / "there")
    yield place
    place.close()
