"""Picture of a report for the README: `python docs/screenshot.py REPORT.html PICTURE.png` (needs chromium)."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZE = "1240,1480"
QUIET = ("--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-sync")


def main(page: Path, picture: Path) -> None:
    """Render `page` headless into `picture`."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no chromium found: install it (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless", "--no-sandbox", *QUIET, f"--window-size={SIZE}", f"--user-data-dir={profile}")
        subprocess.run([browser, *options, f"--screenshot={picture}", page.resolve().as_uri()], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
