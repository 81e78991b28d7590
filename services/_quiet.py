"""Silences what libraries say of optional parts of theirs that nobody asked for.

transformers and diffusers import torchao and bitsandbytes wherever these are installed (the extra `quantization`), and
they warn of every kernel that this machine's torch cannot load, in each service and command. What we quantise does not
need those kernels.
"""

import logging

_TALKATIVE = ("torchao", "bitsandbytes", "torch.utils._pytree", "diffusers.quantizers.torchao.torchao_quantizer")


def install() -> None:
    """Let these loggers speak of errors only."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
