"""The generator service: `python -m services.generator --profile microworld --port 8003`."""

from services.generator.loading import load
from services.generator.settings import GeneratorSettings
from services.generator.spec import SPECS
from services.serving.run import main

if __name__ == "__main__":
    raise SystemExit(main("generator", GeneratorSettings, load, SPECS))
