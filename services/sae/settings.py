"""Settings of the sae service."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.serving.settings import ServiceSettings


class SaeSettings(ServiceSettings):
    """Where the SAE and its subject lie. Environment prefix STEERSCOPE_SAE_."""

    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_SAE_", protected_namespaces=())

    port: int = Field(8002, ge=0, le=65535)
    model: str = Field(description="the VLM whose vision tower is the subject: folder, package: or hub id[@revision]")
    sae: str = Field(description="the SAE's files: folder, package: location or hub id[@revision]")
    sae_subfolder: str = Field("", description="the run inside `sae`, such as a folder of a hub repository")
    sae_format: str = Field("auto", description="auto, dictionary_learning, saelens, saev or plain")
    layer: int | None = Field(None, ge=0, description="block N, 0-based; default what the SAE's files say")
    mean_residual_norm: float | None = Field(None, gt=0, description="E‖z‖ at the layer, if the SAE's files lack it")
    input_scale: float | None = Field(None, gt=0, description="the SAE was trained on input_scale · z; it is folded in")
    subtract_b_dec: bool | None = Field(None, description="whether b_dec is taken off the input; default by the format")
    check: Literal["refuse", "warn", "off"] = Field(
        "refuse", description="what follows if the SAE does not reconstruct"
    )
    check_images: str = Field("", description="image set to check on; default crops of scikit-learn's photographs")
    # Published SAEs reach .6 to .9; the microworld's .62 on photographs unlike all it saw, but ≤ .33 without its scale.
    check_r2: float = Field(0.4, lt=1, description="least R² (1 = perfect) of the check")
    attention: str = Field("sdpa", description="transformers' name of the attention implementation")
    images_per_pass: int = Field(32, ge=1, description="images that go through the encoder at once")
