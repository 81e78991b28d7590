"""`python -m services.sae --profile microworld --port 8002`."""

from services.sae.loading import load
from services.sae.settings import SaeSettings
from services.sae.spec import SPECS
from services.serving.run import main

if __name__ == "__main__":
    raise SystemExit(main("sae", SaeSettings, load, SPECS))
