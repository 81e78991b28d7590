"""One supervised child process: started in its own session, logged to a file, ended with SIGTERM and then SIGKILL."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessSpec:
    """What to run. `env` is added to this process's environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


class Process:
    """A running (or ended) child. Its own session keeps a Ctrl-C in the terminal from reaching it: we drain it."""

    def __init__(self, spec: ProcessSpec, logs: Path) -> None:
        self.spec = spec
        self.log_file = logs / f"{spec.name}.log"
        self.started = 0.0
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the child; its output is appended to `<logs>/<name>.log`."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as output:
            self._child = subprocess.Popen(
                self.spec.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(self.spec.env),
                start_new_session=True,
            )
        self.started = time.monotonic()

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs (or before it was started)."""
        return self._child.poll() if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def terminate(self) -> None:
        """Ask it to drain and end (SIGTERM); returns at once."""
        if self._child and self.running:
            self._child.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end; after `seconds` kill it with everything it started."""
        if self._child is None:
            return
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("%s did not end within %.0f s of SIGTERM and is killed", self.spec.name, seconds)
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
