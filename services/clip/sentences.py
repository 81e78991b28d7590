"""A sentence-embedding model through sentence-transformers: texts to unit vectors."""

from collections.abc import Sequence

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from services.clip.encoder import Embeddings, unit
from services.serving.device_modules import DeviceModules


class SentenceEncoder:
    """The model in a folder; texts are cut at its sequence length."""

    def __init__(self, folder: str, device: str, dtype: torch.dtype) -> None:
        transformers_logging.disable_progress_bar()  # a service's log is read by machines
        self._model = SentenceTransformer(
            folder, device=device, model_kwargs={"dtype": dtype}, local_files_only=True
        ).eval()
        self.resident = DeviceModules(self._model)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Embeddings:
        """b texts to unit vectors float32 [b, e]."""
        embeddings = self._model.encode(
            list(texts), batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False
        )
        return unit(embeddings)
