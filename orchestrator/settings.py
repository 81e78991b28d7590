"""Settings of the orchestrator's processes (API, worker, CLI), from the environment: `STEERSCOPE_<FIELD>`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.imagesets import Roots
from services.serving.tls_settings import ClientTlsSettings, ServerTlsSettings


class OrchestratorSettings(ServerTlsSettings, ClientTlsSettings):
    """What the API and the workers share. Times in seconds. What a job computes is not set here but in the profile."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_", env_ignore_empty=True, extra="ignore", frozen=True)

    profile: str = Field(default="microworld", description="name of a profile, or a path to a .toml file")
    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="state of the jobs and the queue")
    redis_password_file: Path | None = Field(default=None, description="holds the password, which the URL then lacks")
    redis_ca: Path | None = Field(default=None, description="rediss://: PEM of the CA; unset: those the machine trusts")
    redis_client_cert: Path | None = Field(default=None, description="rediss://: PEM shown to a server that wants one")
    redis_client_key: Path | None = Field(default=None, description="rediss://: PEM of its key")
    key_prefix: str = Field(
        default="steerscope:", description="before every key, so that deployments can share a Redis"
    )
    artifacts: str = Field(default="file://./.steerscope/artifacts", description="results: any fsspec URL")

    image_roots: str = Field(
        default="",
        description="comma-separated: folders, `hf:owner/name`, `hf:owner`, `hf:` below which jobs may name images; "
        "empty: everywhere",
    )

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free one")
    api_threads: int = Field(
        default=64, ge=4, description="calls served at once; a watcher or an Explain holds one each"
    )
    api_token_file: Path | None = Field(
        default=None, description="tokens that callers must bring, one a line; unset: whoever reaches the port may call"
    )
    api_explains: int = Field(
        default=16, ge=1, description="Explains at once: each runs the pipeline in the API's process"
    )
    api_imports: bool | None = Field(
        default=None, description="let callers bring finished jobs here; unset: where only this machine reaches the API"
    )
    api_import_max_gib: float = Field(default=64, gt=0, description="of one job that is brought here, images included")
    api_max_message_bytes: int = Field(
        default=64 << 20, ge=1 << 20, description="of one message; the largest are Submits with given texts"
    )
    api_max_connection_age_seconds: float = Field(
        default=300, gt=0, description="then a client connects again: to any replica, with the certificate of the day"
    )
    api_max_connection_age_grace_seconds: float = Field(
        default=3600, gt=0, description="for streams of an aged connection; Watch resumes where it was cut"
    )
    max_job_items: int = Field(
        default=300_000, ge=1, description="features or shards of one job: one script writes them, and Redis waits"
    )
    drain_seconds: float = Field(
        default=30, ge=0, description="after SIGTERM: time for running items and calls to finish"
    )
    keep_alive_seconds: float = Field(default=15, gt=0, description="Watch sends at least one message in this time")
    metrics_host: str = Field(default="127.0.0.1", description="where Prometheus may ask; 0.0.0.0 in containers")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="Prometheus; 0 = off")
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    worker_concurrency: int = Field(default=8, ge=1, description="items at once in one worker process")
    handlers: str = Field(
        default="orchestrator.worker.handlers:handlers",
        description="module:function that maps settings to {job kind: handler}; another one in tests",
    )
    idle_exit_seconds: float = Field(
        default=60, gt=0, description="a worker that gets nothing from a filled queue exits"
    )

    lease_seconds: float = Field(default=30, gt=0, description="how long a claim holds without renewal")
    lease_renew_seconds: float = Field(
        default=1, gt=0, description="also how soon a running item hears that it is cancelled"
    )
    max_attempts: int = Field(
        default=3, ge=1, description="claims that may die or fail for unknown reasons before poison"
    )
    sweep_seconds: float = Field(default=5, gt=0, description="pause between looks for expired leases and due items")
    outbox_stale_seconds: float = Field(default=10, gt=0, description="an entry taken but not published is taken again")
    redis_retry_seconds: float = Field(default=60, ge=0, description="how long connection faults of Redis are borne")
    events_kept: int = Field(default=10_000, ge=100, description="events of a job that a watcher can resume from")
    stage_timeout_seconds: float = Field(default=600, gt=0)
    stage_retry_seconds: float = Field(default=60, ge=0, description="transient faults borne inside a stage")

    vlm: str = "dns:///127.0.0.1:8001"
    sae: str = "dns:///127.0.0.1:8002"
    generator: str = "dns:///127.0.0.1:8003"
    segmenter: str = "dns:///127.0.0.1:8004"
    clip: str = "dns:///127.0.0.1:8005"
    oracle_generator: str | None = None
    oracle_segmenter: str | None = None

    def roots(self) -> Roots:
        """Where image sets may come from."""
        return Roots.parse(self.image_roots)

    def redis_with_password(self) -> str:
        """`redis_url` with the password in it, for clients; never for logs. Raises ValueError if it cannot be read."""
        if self.redis_password_file is None:
            return self.redis_url
        try:
            password = self.redis_password_file.read_text("utf-8").strip()
        except OSError as error:
            raise ValueError(f"redis_password_file: {error}; give a file with one line") from error
        parts = urlsplit(self.redis_url)
        place = parts.netloc.rpartition("@")[2]
        user, secret = quote(parts.username or ""), quote(password, safe="")
        return parts._replace(netloc=f"{user}:{secret}@{place}").geturl()

    def redis_tls(self) -> dict[str, str]:
        """What redis-py (and kombu, which hands it on) needs for `rediss://` beside the URL."""
        given = {
            "ssl_ca_certs": self.redis_ca,
            "ssl_certfile": self.redis_client_cert,
            "ssl_keyfile": self.redis_client_key,
        }
        return {name: str(file) for name, file in given.items() if file is not None}

    @property
    def redis_is_tls(self) -> bool:
        return urlsplit(self.redis_url).scheme == "rediss"

    def redis_place(self) -> str:
        """Host, port and number of the database, without a password, for logs."""
        parts = urlsplit(self.redis_url)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path}"

    @model_validator(mode="after")
    def _redis_files_need_tls(self) -> Self:
        if self.redis_tls() and not self.redis_is_tls:
            raise ValueError("redis_ca, redis_client_cert, redis_client_key: redis_url must begin with rediss://")
        if (self.redis_client_cert is None) != (self.redis_client_key is None):
            raise ValueError("redis_client_cert and redis_client_key belong together; set both or neither")
        return self

    @model_validator(mode="after")
    def _renewal_fits_the_lease(self) -> Self:
        if self.lease_renew_seconds * 2 > self.lease_seconds:
            raise ValueError("lease_renew_seconds: must be at most half of lease_seconds; raise the latter")
        return self
