"""What the generator service serves: `generate` (prompt and seed to one image; Stable Diffusion 3)."""

from dataclasses import dataclass

from services.serving.spec import SHORT_TEXT_BYTES, Content, DataType, ModelSpec, ParameterSpec, TensorSpec


@dataclass(frozen=True)
class GenerateRow:
    """A prompt and the seed of its image's own noise: the same row gives the same image in any batch."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Generated:
    """One encoded image (PPM: raw pixels with a header, since PNG costs about 30 times more to write)."""

    image: bytes


GENERATE: ModelSpec[GenerateRow, Generated] = ModelSpec(
    name="generate",
    doc="Draw one image of a text.",
    row=GenerateRow,
    result=Generated,
    inputs=(
        TensorSpec("PROMPT", DataType.BYTES, (), "what to draw", Content.TEXT, max_bytes=SHORT_TEXT_BYTES),
        TensorSpec("SEED", DataType.INT64, (), "seed of this image, 0 ≤ seed < 2^63"),
    ),
    outputs=(TensorSpec("IMAGE", DataType.BYTES, (), "the image as PPM", Content.IMAGE),),
    parameters=(
        ParameterSpec("steps", 0, "denoising steps; 0 = the service's setting", low=0, high=200),
        ParameterSpec("guidance", -1.0, "classifier-free guidance; −1 = the service's setting", low=-1.0, high=50.0),
    ),
    max_batch_size=32,
)

SPECS = (GENERATE,)
