"""A CLIP model through open_clip: texts and images to unit vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from PIL import Image
from torch.nn import functional

from services.serving.images import pixels_of

Embeddings = npt.NDArray[np.float32]
_PRECISION = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


class ClipEncoder:
    """Embeds texts, cut at the context length, and images, prepared as in the model's training."""

    def __init__(self, model: Any, preprocess: Any, tokenizer: Any, device: str, dtype: torch.dtype) -> None:
        self._model = model.eval()
        self._preprocess = preprocess
        self._tokenizer = tokenizer
        self._device = device
        self._dtype = dtype

    @property
    def width(self) -> int:
        """Length of the embeddings, e."""
        return int(self.texts([""]).shape[1])

    @property
    def context_length(self) -> int:
        """Tokens that a text is cut at."""
        return int(self._tokenizer.context_length)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Embeddings:
        """b texts to unit vectors float32 [b, e]."""
        return _unit(self._model.encode_text(self._tokenizer(list(texts)).to(self._device)))

    @torch.inference_mode()
    def images(self, images: Sequence[bytes]) -> Embeddings:
        """b encoded images to unit vectors float32 [b, e]."""
        prepared = torch.stack([self._preprocess(Image.fromarray(pixels_of(image))) for image in images])
        return _unit(self._model.encode_image(prepared.to(self._device, self._dtype)))


def _unit(embeddings: torch.Tensor) -> Embeddings:
    unit: Embeddings = functional.normalize(embeddings.float(), dim=-1).cpu().numpy()
    return unit


def load_encoder(name: str, pretrained: str, device: str, dtype: torch.dtype) -> ClipEncoder:
    """The open_clip model `name` with the weights of the tag `pretrained`, or the model in the folder `name`.

    A folder holds `open_clip_config.json`, weights and, if the model has its own, the tokenizer (open_clip's own
    form of a local model); `pretrained` is then unused. Raises ValueError for an unknown name or tag.
    """
    if Path(name).is_dir():
        name, tag, quick = f"local-dir:{name}", None, False
    else:
        tag, quick = pretrained, _needs_quick_gelu(name, pretrained)
    model, _, preprocess = open_clip.create_model_and_transforms(
        name,
        pretrained=tag,
        precision=_PRECISION[dtype],
        device=device,
        force_quick_gelu=quick,
        require_pretrained=True,
    )
    return ClipEncoder(model, preprocess, open_clip.get_tokenizer(name), device, dtype)


def _needs_quick_gelu(name: str, tag: str) -> bool:
    """Whether the weights were trained with QuickGELU; open_clip only warns when the architecture's name says not."""
    known = open_clip.get_pretrained_cfg(name, tag)
    if not known:
        tags = open_clip.list_pretrained_tags_by_model(name)
        raise ValueError(f"open_clip knows no weights {tag!r} of {name!r}; tags: {tags or 'none, check the name'}")
    return bool(known.get("quick_gelu", False))
