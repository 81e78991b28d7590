"""What the vlm service serves: `explain` (images and a steering direction to a text) and `complete` (text to text).

Steering is data of a row, never state of the server: `h ← h + α·direction` (`addition`) or `h ← α·direction`
(`replacement`) on the output of the subject's block N, at the row's positions (METHOD §5, Eq. 5).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.serving.spec import Content, DataType, ModelSpec, ParameterSpec, TensorSpec


@dataclass(frozen=True)
class ExplainRow:
    """One explanation to make: a prompt, n ≥ 1 encoded images, and (optionally) an intervention.

    `direction` is float32 [d] in raw residual units, `alpha` its factor; `positions` bool [n, p] names the patches
    that are written to (None: every token of the stream, CLS and registers included). `alpha` 0 or no direction is no
    intervention.
    """

    prompt: str
    images: tuple[bytes, ...]
    direction: npt.NDArray[np.float32] | None = None
    alpha: float | None = None
    mode: str | None = None
    positions: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Explanation:
    """The generated text (untouched), its token count without EOS, the mean log-probability of its tokens (the end
    token's included, so that an empty text has one too), and whether it was cut at `max_new_tokens`."""

    text: str
    tokens: int
    logprob: float
    truncated: bool


@dataclass(frozen=True)
class CompleteRow:
    """One prompt without images."""

    prompt: str


_MAX_NEW_TOKENS = ParameterSpec("max_new_tokens", 100, "most tokens to generate per row", low=1, high=1024)
_TEXT_OUTPUTS = (
    TensorSpec("TEXT", DataType.BYTES, (), "the generated text", Content.TEXT),
    TensorSpec("TOKENS", DataType.INT32, (), "tokens generated, without the end token"),
    TensorSpec("LOGPROB", DataType.FP32, (), "mean log-probability of the generated tokens (nats)"),
    TensorSpec("TRUNCATED", DataType.BOOL, (), "whether max_new_tokens cut the text"),
)

EXPLAIN: ModelSpec[ExplainRow, Explanation] = ModelSpec(
    name="explain",
    doc="Let the language model say what it sees in n images, with one feature steered in the vision encoder.",
    row=ExplainRow,
    result=Explanation,
    inputs=(
        TensorSpec("PROMPT", DataType.BYTES, (), "the question, without image placeholders", Content.PROMPT),
        TensorSpec("IMAGES", DataType.BYTES, (-1,), "n encoded images, shown before the question", Content.IMAGE),
        TensorSpec("DIRECTION", DataType.FP32, (-1,), "steering direction [d]", optional=True, default=0.0),
        TensorSpec(
            "ALPHA", DataType.FP32, (), "factor of the direction, raw residual units", optional=True, default=0.0
        ),
        TensorSpec("MODE", DataType.BYTES, (), "addition or replacement", Content.TEXT, True, b"addition"),
        TensorSpec(
            "POSITIONS",
            DataType.BOOL,
            (-1, -1),
            "steered patches [n, p]; without it every token, CLS too",
            optional=True,
        ),
    ),
    outputs=_TEXT_OUTPUTS,
    parameters=(_MAX_NEW_TOKENS,),
    max_batch_size=64,
)

COMPLETE: ModelSpec[CompleteRow, Explanation] = ModelSpec(
    name="complete",
    doc="Continue a text without images (labels, cluster names).",
    row=CompleteRow,
    result=Explanation,
    inputs=(TensorSpec("PROMPT", DataType.BYTES, (), "the user's turn", Content.PROMPT),),
    outputs=_TEXT_OUTPUTS,
    parameters=(_MAX_NEW_TOKENS,),
    max_batch_size=64,
)

SPECS = (EXPLAIN, COMPLETE)
