"""A CLIP model through open_clip: texts and images to unit vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from PIL import Image
from torch.nn import functional

from services.clip.places import ClipWeights
from services.serving.device_modules import DeviceModules
from services.serving.images import pixels_of
from services.serving.portions import Portions

Embeddings = npt.NDArray[np.float32]
_PRECISION = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


class ClipEncoder:
    """Embeds texts, cut at the context length, and images, prepared as in the model's training."""

    def __init__(
        self, model: Any, preprocess: Any, tokenizer: Any, device: str, dtype: torch.dtype, images_per_pass: int
    ) -> None:
        self._model = model.eval()
        self.resident = DeviceModules(model)
        self._portions = Portions(images_per_pass)
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
        return unit(self._model.encode_text(self._tokenizer(list(texts)).to(self._device)))

    def images(self, images: Sequence[bytes]) -> Embeddings:
        """b encoded images to unit vectors float32 [b, e], `images_per_pass` at once or as many as fit into memory."""
        return np.stack(self._portions.run(self._pass, images))

    @torch.inference_mode()
    def _pass(self, images: Sequence[bytes]) -> list[npt.NDArray[np.float32]]:
        prepared = torch.stack([self._preprocess(Image.fromarray(pixels_of(image))) for image in images])
        return list(unit(self._model.encode_image(prepared.to(self._device, self._dtype))))


def unit(embeddings: torch.Tensor) -> Embeddings:
    """Rows [b, e] scaled to length 1, as float32 [b, e]."""
    scaled: Embeddings = functional.normalize(embeddings.float(), dim=-1).cpu().numpy()
    return scaled


def load_encoder(weights: ClipWeights, device: str, dtype: torch.dtype, images_per_pass: int = 64) -> ClipEncoder:
    """The model that open_clip makes of `weights`."""
    model, _, preprocess = open_clip.create_model_and_transforms(
        weights.name,
        pretrained=weights.pretrained,
        precision=_PRECISION[dtype],
        device=device,
        force_quick_gelu=weights.quick_gelu,
        require_pretrained=True,
    )
    return ClipEncoder(model, preprocess, open_clip.get_tokenizer(weights.name), device, dtype, images_per_pass)
