"""`python -m services.vlm --profile microworld --port 8001`."""

from services.serving.run import main
from services.vlm.loading import load
from services.vlm.settings import VlmSettings
from services.vlm.spec import SPECS

if __name__ == "__main__":
    raise SystemExit(main("vlm", VlmSettings, load, SPECS))
