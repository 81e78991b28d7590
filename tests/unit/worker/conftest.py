"""The job store of `tests.unit.jobs`, for the worker's parts."""

from tests.redis import redis_server
from tests.unit.jobs.conftest import jobs, new_jobs

__all__ = ["jobs", "new_jobs", "redis_server"]
