"""What a client of the Jobs API brings: a token, and the files of TLS; by default from the environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import grpc
from pydantic import Field, SecretStr, ValidationError

from services.serving.tls_settings import ClientTlsSettings

AUTHORIZATION = "authorization"
SCHEME = "Bearer "


class AccessError(ValueError):
    """A token cannot be read, or would travel in plain text. The message names the setting and the remedy."""


class Access(ClientTlsSettings):
    """Settings of a client: arguments, else `STEERSCOPE_<FIELD>` in the environment."""

    token: SecretStr | None = Field(default=None, description="the token itself")
    token_file: Path | None = Field(
        default=None, description="a file with the token, read at every call; wins over `token`"
    )
    insecure_token: bool = Field(default=False, description="let the token travel in plain text to other machines")

    @classmethod
    def from_environment(cls) -> Self:
        """Raises AccessError."""
        try:
            return cls()
        except ValidationError as error:
            rules = "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
            raise AccessError(f"STEERSCOPE_*: {rules}") from error

    def bearer(self, address: str) -> Callable[[], str] | None:
        """Gives the token for calls to `address`; None if there is none.

        Raises AccessError if the token would cross a network in plain text, or its file cannot be read.
        """
        if self.token is None and self.token_file is None:
            return None
        if self.tls_ca is None and not self.insecure_token and not is_loopback(address):
            raise AccessError(
                f"the token would go to {address} in plain text: set STEERSCOPE_TLS_CA (--tls-ca), or, where nobody "
                "else hears the network, STEERSCOPE_INSECURE_TOKEN=1 (--insecure-token)"
            )
        self._read()
        return self._read

    def _read(self) -> str:
        if self.token_file is None:
            return self.token.get_secret_value().strip() if self.token else ""
        try:
            lines = self.token_file.read_text("utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f"token_file: {self.token_file}: {error}; give a file that holds the token") from error
        if not lines:
            raise AccessError(f"token_file: {self.token_file} is empty; it must hold the token")
        return lines[0]  # a server's file, with several, does as well


def is_loopback(address: str) -> bool:
    """Whether a gRPC address or a host is on this machine."""
    if address.startswith("unix:"):
        return True
    place = address.rpartition("/")[2]
    host, colon, port = place.rpartition(":")
    host = (host if colon and port.isdecimal() and not host.endswith(":") else place).strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class BearerToken(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
):
    """Adds the token to every call."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_stream_unary(self, continuation: Any, details: Any, request_iterator: Any) -> Any:
        return continuation(self._with_token(details), request_iterator)

    def _with_token(self, details: Any) -> Any:
        metadata = [*(details.metadata or ()), (AUTHORIZATION, f"{SCHEME}{self._token()}")]
        return details._replace(metadata=metadata)
