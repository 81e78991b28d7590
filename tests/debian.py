"""Programs from Debian 13 on an older Debian, without installing them: `python -m tests.debian PACKAGE FILE TARGET`.

The package is downloaded by apt, which checks its signature, and unpacked; only the one file is kept.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SOURCE = f"deb [signed-by={_KEY}] http://deb.debian.org/debian trixie main\n"


def fetch(package: str, file: str, target: Path) -> None:
    """Put `file` of `package` (a path below /) at `target`. Raises RuntimeError where apt or the package is missing."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for folder in ("lists/partial", "archives/partial"):
            (root / folder).mkdir(parents=True)
        (root / "sources.list").write_text(_SOURCE)
        root.chmod(0o755)  # apt downloads as a user of its own
        options = [f"Dir::Etc::sourcelist={root}/sources.list", "Dir::Etc::sourceparts=/nonexistent"]
        options += [f"Dir::State::lists={root}/lists", f"Dir::Cache={root}", f"Dir::Cache::archives={root}/archives"]
        apt = ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]
        _run(*apt, "update", folder=root)
        _run(*apt, "download", f"{package}/trixie", folder=root)
        for archive in root.glob(f"{package}_*.deb"):
            _run("dpkg", "-x", str(archive), "files", folder=root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "files" / file, target)


def _run(*command: str, folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError(f"no {command[0]} here: this works on Debian only") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{command[0]} {command[-1]}: {error.stderr.strip()[-500:]}") from error


if __name__ == "__main__":
    fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
