"""The clip service: `python -m services.clip --profile microworld --port 8005`."""

from services.clip.loading import load
from services.clip.settings import ClipSettings
from services.clip.spec import SPECS
from services.serving.run import main

if __name__ == "__main__":
    raise SystemExit(main("clip", ClipSettings, load, SPECS))
