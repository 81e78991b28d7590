"""What every answer says and every request must be, so that no other site can use this one."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.viewer.server.answers import json_answer

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_OWN = ("/api/", "/data/", "/images/")  # what only these pages ask for; any site may link to the pages themselves
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Refuses foreign Host headers (DNS rebinding) and calls from other sites, reading ones included; adds headers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["method"], scope["path"])
        app = self._app if refusal is None else json_answer({"error": refusal}, 403)
        await app(scope, receive, with_headers)

    def _refusal(self, headers: Headers, method: str, path: str) -> str | None:
        host = headers.get("host", "")
        if _name(f"//{host}") not in self._hosts:
            return f"Host {host[:80]!r} is not served here; start with --allow-host NAME to allow it"
        if method in ("GET", "HEAD") and not path.startswith(_OWN):
            return None
        return None if _from_here(headers, host) else "calls from other sites are not taken"


def _from_here(headers: Headers, host: str) -> bool:
    """Whether a page of this server asks, or somebody without a page: a typed address, a program."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or _split(origin).netloc == host


def _name(address: str) -> str:
    return (_split(address).hostname or "").lower()


def _split(address: str) -> SplitResult:
    """The parts of an address; none of one that cannot be read."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
