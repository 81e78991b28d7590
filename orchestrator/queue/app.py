"""The Celery app. Celery only carries ids from the outbox to the workers; the truth is the state machine."""

from __future__ import annotations

import ssl
from typing import Any

from celery import Celery
from kombu import Connection, Queue

from orchestrator.jobs.keys import QUEUE
from orchestrator.settings import OrchestratorSettings

# Longer than any item: with a shorter one Celery would deliver a running item again (a claim would refuse it, though).
_VISIBILITY_SECONDS = 3600
# Pauses between looks for a broker that went away: kombu's own grow to half a minute, in which nothing would run.
_LOOKS = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}


class _Connection(Connection):  # type: ignore[misc]  # kombu is untyped
    """One that finds a broker again soon after it is back, however long it was away."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        return super().ensure_connection(*args, **(_LOOKS | options))


def make_app(settings: OrchestratorSettings) -> Celery:
    """An app without tasks, enough to publish; `tasks.register` adds them in a worker."""
    app = Celery("steerscope", broker=settings.redis_with_password(), set_as_current=False)
    app.conf.update(_configuration(settings))
    app.amqp.Connection = _Connection
    return app


def _configuration(settings: OrchestratorSettings) -> dict[str, Any]:
    return {
        "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED, **settings.redis_tls()}
        if settings.redis_is_tls
        else None,
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "result_backend": None,
        "task_default_queue": QUEUE,
        "task_queues": [Queue(QUEUE)],
        "task_create_missing_queues": False,
        # A task is acknowledged when it ends; one that raised is not run again by Celery, but by the sweeper.
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        # Threads: gRPC does not survive a fork. Celery's time limits and revoke do nothing with them, ours do.
        "worker_pool": "threads",
        "worker_concurrency": settings.worker_concurrency,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        # a lost broker is no reason to stop an item: its lease holds
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "global_keyprefix": settings.key_prefix,
            "visibility_timeout": _VISIBILITY_SECONDS,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_keepalive": True,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "retry_on_timeout": True,
            "health_check_interval": 10,
        },
    }
