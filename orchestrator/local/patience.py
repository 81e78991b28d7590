"""How long a part may take to become ready: as long as it loads, but no longer than a moment to open its port."""

import socket
import time

from orchestrator.local.downloads import arriving, hub_cache

OPEN_SECONDS = 600.0  # imports on a cold disk; a service opens its port before it loads
_FIRST_HINT, _HINT_EVERY = 30.0, 60.0


class Patience:
    """Watches the parts that are not ready yet. Downloads of 50 GB and loading from a slow disk take their time."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._hint_due = self._started + _FIRST_HINT

    def waited(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._started

    def over(self, address: str) -> bool:
        """Whether the part at `address` has had its time and does not even listen."""
        return self.waited() > OPEN_SECONDS and not _listens(address)

    def hint(self) -> str | None:
        """What to tell while it lasts, now and then; else None."""
        if time.monotonic() < self._hint_due:
            return None
        self._hint_due = time.monotonic() + _HINT_EVERY
        size = arriving(hub_cache())
        what = f", {size / 1e9:.1f} GB of a download here so far" if size else ""
        return f"still loading after {self.waited():.0f} s{what}"


def _listens(address: str) -> bool:
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
