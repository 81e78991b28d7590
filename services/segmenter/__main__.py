"""The segmenter service: `python -m services.segmenter --profile microworld --port 8004`."""

from services.segmenter.loading import load
from services.segmenter.settings import SegmenterSettings
from services.segmenter.spec import SPECS
from services.serving.run import main

if __name__ == "__main__":
    raise SystemExit(main("segmenter", SegmenterSettings, load, SPECS))
