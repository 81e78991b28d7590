"""The toy as a service of its own process, to see signals and exit statuses. TOY_FAULT picks a mishap."""

import os
import time

from pydantic_settings import SettingsConfigDict

from services.serving.model import Parameters
from services.serving.run import main
from services.serving.settings import ServiceSettings
from tests.unit.serving.toy import TOY, WHOLE, ToyModel, ToyResult, ToyRow, WholeModel


class ToySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_TOY_")


class SlowModel(ToyModel):
    """Takes half a second for each batch of prompts that begin with "slow"."""

    def run(self, rows: "list[ToyRow]", parameters: Parameters) -> "list[ToyResult]":  # type: ignore[override]
        if rows[0].prompt.startswith("slow"):
            time.sleep(0.5)
        if rows[0].prompt == "poison":
            raise RuntimeError("CUDA error: device-side assert triggered")
        return list(super().run(rows, parameters))


def load(settings: ToySettings) -> tuple[SlowModel, WholeModel]:
    fault = os.environ.get("TOY_FAULT")
    if fault == "load":
        raise ValueError("no weights here")
    if fault == "hang":
        time.sleep(60)
    return SlowModel(), WholeModel()


if __name__ == "__main__":
    raise SystemExit(main("toy", ToySettings, load, (TOY, WHOLE)))
