"""Bearer tokens: the file with those that count, and the interceptor that asks every caller for one."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health

from orchestrator import metrics
from orchestrator.access import AUTHORIZATION, SCHEME
from services.serving.stamps import stamp_of

log = logging.getLogger(__name__)
SHORTEST = 16  # characters: what can be tried out in a lifetime is no token
_OPEN = f"/{health.SERVICE_NAME}/"  # whoever restarts containers and balances load has no token
_REMEDY = "send `authorization: Bearer TOKEN` (STEERSCOPE_TOKEN_FILE, STEERSCOPE_TOKEN or --token-file)"


class TokensError(ValueError):
    """The file of tokens is missing, empty, or holds one that is too short."""


class Tokens:
    """The tokens in a file, one a line (empty lines and those with # do not count); read again when it changes.

    Several may count at once, so that a new one is given out before the old one goes. A file that turns bad lets
    nobody in. Only hashes are kept and compared, in a time that does not depend on what is presented.
    """

    def __init__(self, file: Path) -> None:
        """Raises TokensError."""
        self._file = file
        self._lock = threading.Lock()
        self._stamp = stamp_of(file)
        self._digests = self._read()

    def accepts(self, presented: str) -> bool:
        """Whether this is one of them."""
        digest = _digest(presented)
        accepted = False
        for known in self._current():  # all of them, so that time tells nothing
            accepted |= hmac.compare_digest(known, digest)
        return accepted

    def _current(self) -> Sequence[bytes]:
        with self._lock:
            stamp = stamp_of(self._file)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._digests = self._read()
                    log.info("%d tokens were read again from %s", len(self._digests), self._file)
                except TokensError as error:
                    self._digests = ()
                    log.error("nobody is let in: %s", error)
            return self._digests

    def _read(self) -> tuple[bytes, ...]:
        try:
            lines = [line.strip() for line in self._file.read_text("utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise TokensError(f"api_token_file: {self._file}: {error}; give a file with a token a line") from error
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise TokensError(f"api_token_file: {self._file} holds no token; write one: openssl rand -hex 32")
        if min(map(len, found)) < SHORTEST:
            rule = f"holds a token of fewer than {SHORTEST} characters"
            raise TokensError(
                f"api_token_file: {self._file} {rule}; make one that nobody guesses: openssl rand -hex 32"
            )
        return tuple(map(_digest, found))


class TokenInterceptor(grpc.ServerInterceptor):
    """Lets calls with a token pass, and health checks; all others (reflection, too) end UNAUTHENTICATED."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        if details.method.startswith(_OPEN):
            return continuation(details)
        fault = self._fault(details.invocation_metadata)
        return continuation(details) if fault is None else _refusing(fault)

    def _fault(self, metadata: Sequence[tuple[str, str | bytes]]) -> str | None:
        given = [value for key, value in metadata if key == AUTHORIZATION]
        if not given:
            return f"this API wants a token: {_REMEDY}"
        value = str(given[0])
        if len(given) > 1 or value[: len(SCHEME)].lower() != SCHEME.lower():
            return f"authorization must be one Bearer token: {_REMEDY}"
        if not self._tokens.accepts(value[len(SCHEME) :].strip()):
            return "the token is not one of this API's, or not any more: ask who runs it for the one that counts now"
        return None


def _refusing(fault: str) -> Any:
    def refuse(_: Any, context: grpc.ServicerContext) -> NoReturn:
        metrics.UNAUTHENTICATED.inc()
        context.abort(grpc.StatusCode.UNAUTHENTICATED, fault)

    return grpc.stream_stream_rpc_method_handler(refuse)  # of any kind of call, before its first message


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
