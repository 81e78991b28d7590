"""The settings of TLS: `STEERSCOPE_TLS_*` for every process; a model service has its own over them."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.serving.tls import ClientTls, ServerTls


class ServerTlsSettings(BaseSettings):
    """What a server needs to speak TLS. Without a certificate it speaks plain text."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_", env_ignore_empty=True, frozen=True)

    tls_cert: Path | None = Field(
        default=None, description="PEM: the server's certificate and those between it and the CA"
    )
    tls_key: Path | None = Field(default=None, description="PEM: its key, without a password")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM: clients must show a certificate of this CA (mTLS)"
    )

    def server_tls(self) -> ServerTls | None:
        """None: plain text."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        return ServerTls(self.tls_cert, self.tls_key, self.tls_client_ca)

    @model_validator(mode="after")
    def _server_files_belong_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together; set both or neither")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs TLS; set tls_cert and tls_key, too")
        return self


class ClientTlsSettings(BaseSettings):
    """What clients of gRPC servers need. Without a CA they speak plain text."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_", env_ignore_empty=True, extra="ignore", frozen=True)

    tls_ca: str | None = Field(
        default=None, description='PEM: the CA of the servers; "system" for those the machine trusts'
    )
    tls_client_cert: Path | None = Field(
        default=None, description="PEM: the certificate shown to servers that want one"
    )
    tls_client_key: Path | None = Field(default=None, description="PEM: its key, without a password")

    def client_tls(self) -> ClientTls | None:
        """None: plain text."""
        if self.tls_ca is None:
            return None
        return ClientTls(self.tls_ca, self.tls_client_cert, self.tls_client_key)

    @model_validator(mode="after")
    def _client_files_belong_together(self) -> Self:
        if (self.tls_client_cert is None) != (self.tls_client_key is None):
            raise ValueError("tls_client_cert and tls_client_key belong together; set both or neither")
        if self.tls_client_cert is not None and self.tls_ca is None:
            raise ValueError('tls_client_cert needs TLS; set tls_ca to the CA of the servers, or to "system"')
        return self
