"""Settings of a service. Precedence: command line > environment (`STEERSCOPE_<SERVICE>_…`) > profile > default."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsConfigDict

from services.serving.tls_settings import ServerTlsSettings

_MIB = 1 << 20
METRICS_OFFSET = 1000  # the metrics port lies this far above the service's port unless it is given


class SettingsError(ValueError):
    """A setting is unknown or out of range. The message names it, its rule and where it can be set."""


class ServiceSettings(ServerTlsSettings):
    """What every service has. A service subclasses it, sets `env_prefix` and `port`, and adds where its models lie."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="STEERSCOPE_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_host: str | None = Field(None, description="where Prometheus may ask; default: `host`")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Prometheus; default port + 1000; 0 = off")
    device: str = Field("auto", description="cpu, cuda, cuda:1, …; auto = the accelerator if there is one")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    max_batch_size: int | None = Field(None, ge=1, description="most rows per computed batch, if below the model's own")
    max_queue_delay_microseconds: int = Field(2000, ge=0, description="how long a batch that is not full may wait")
    max_queue_size: int = Field(256, ge=1, description="most requests inside, waiting or computed")
    max_queue_bytes: int = Field(256 * _MIB, ge=_MIB, description="most bytes of requests inside")
    max_queue_pixels: int = Field(128 * _MIB, ge=_MIB, description="most decoded pixels inside (3 bytes each)")
    bulk_patience_seconds: float = Field(2.0, ge=0, description="how far interactive requests may overtake bulk ones")
    decode_threads: int = Field(2, ge=1, le=64, description="threads that decode images at admission")

    max_device_memory_gib: float | None = Field(
        None, gt=0, description="most memory of the accelerator that the service may take; default: all there is"
    )
    idle_unload_seconds: float | None = Field(
        None, gt=0, description="after that long without requests the weights wait in main memory; default: never"
    )

    max_message_bytes: int = Field(64 * _MIB, ge=_MIB, description="most bytes of one message, either way")
    max_connection_age_seconds: float = Field(60.0, gt=0, description="clients look for new replicas this often")
    max_connection_age_grace_seconds: float = Field(900.0, gt=0, description="longer than the longest call")
    drain_wait_seconds: float = Field(2.0, ge=0, description="after SIGTERM: time for clients to see NOT_SERVING")
    drain_timeout_seconds: float = Field(120.0, gt=0, description="after that: time for requests inside to finish")

    @classmethod
    def resolve(cls, section: Mapping[str, Any], overrides: Mapping[str, Any]) -> Self:
        """Settings from a profile's section, the environment, and the command line (None = not given there).

        TLS may be set for all processes at once (`STEERSCOPE_TLS_…`). Raises `SettingsError`.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        shared = EnvSettingsSource(ServerTlsSettings)()
        try:
            return cls(**{**section, **shared, **EnvSettingsSource(cls)(), **given})
        except ValidationError as error:
            raise SettingsError(_explain(error, cls.model_config.get("env_prefix", ""))) from error

    @property
    def effective_metrics_port(self) -> int:
        """0 = no metrics server."""
        if self.metrics_port is not None:
            return self.metrics_port
        return self.port + METRICS_OFFSET if self.port else 0


def _explain(error: ValidationError, prefix: str) -> str:
    lines = []
    for item in error.errors():
        name = ".".join(map(str, item["loc"]))
        if not name:  # a rule about several settings, which it names
            lines.append(f"settings: {item['msg']} (environment {prefix}…)")
            continue
        lines.append(f"setting {name!r}: {item['msg']} (profile key {name}, environment {prefix}{name.upper()})")
    return "; ".join(lines)
