"""Language models in fewer bits. The vision tower and the projector keep theirs: the SAE reads the tower.

Both ways store weights alone and compute in the model's dtype, so that rows of a batch stay independent of one another
(LLM.int8(), which also rounds activations by what else is in the batch, would break that).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch

Quantization = Literal["none", "int8", "int4"]

_OTHERS = r"(?!model\.language_model\.).*"  # everything outside the language model, its head included
_MISSING = "pip install 'steerscope[quantization]'"


def quantization_config(quantization: Quantization, dtype: torch.dtype) -> Any:
    """What `from_pretrained` takes as `quantization_config`; None for `none`.

    int8: one scale per output channel (torchao); int4: NF4 in blocks of 64 weights with scales quantised again
    (bitsandbytes). Raises ValueError when the library is not there.
    """
    if quantization == "none":
        return None
    try:
        return _KINDS[quantization](dtype)
    except ImportError as error:
        raise ValueError(
            f"setting 'quantization': {quantization} needs a library that is missing: {_MISSING}"
        ) from error


def _int8(dtype: torch.dtype) -> Any:
    del dtype  # that of the activations
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return TorchAoConfig(Int8WeightOnlyConfig(), modules_to_not_convert=[_OTHERS])


def _int4(dtype: torch.dtype) -> Any:
    import bitsandbytes  # noqa: F401  transformers says late and at length that it is missing
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=[_OTHERS],  # of all kinds, in spite of its name
    )


_KINDS: Mapping[str, Callable[[torch.dtype], Any]] = {"int8": _int8, "int4": _int4}
