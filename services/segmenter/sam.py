"""SAM 2: boxes in an image to masks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from sam2.build_sam import build_sam2
from sam2.utils.transforms import SAM2Transforms
from torch.nn import functional

from services.segmenter.embeddings import EmbeddingCache, ImageEmbedding
from services.segmenter.masks import Mask, nearest_index
from services.segmenter.spec import MASK_SIDE
from services.serving.images import Picture
from services.serving.portions import Portions

_LOGIT_THRESHOLD = 0.0


def load_sam(config: str, checkpoint: str, *, postprocessing: bool, device: str) -> Any:
    """The SAM 2 model of a hydra `config` with the weights in the file `checkpoint`.

    `config` is a local YAML file or a name inside the sam2 package, such as `configs/sam2.1/sam2.1_hiera_l.yaml`.
    `postprocessing` is sam2's: it replaces an unstable mask by the best of three other outputs, which a model that
    was trained for single masks does not have.
    """
    with _config_name(config) as name:
        return build_sam2(name, checkpoint, device=device, apply_postprocessing=postprocessing)


@contextmanager
def _config_name(config: str) -> Iterator[str]:
    """The name under which hydra finds `config` while this context lasts."""
    if not Path(config).is_file():
        yield config
        return
    # sam2 starts hydra in its own package on import; hydra knows one place at a time.
    file, instance = Path(config).resolve(), GlobalHydra.instance()
    package = instance.hydra
    instance.clear()
    try:
        with initialize_config_dir(str(file.parent), version_base="1.2"):
            yield file.name
    finally:
        instance.hydra = package
        GlobalHydra.set_instance(instance)


class Sam:
    """A SAM 2 model with a cache of image embeddings. It encodes `batch_size` images at once, or as many as fit."""

    def __init__(self, model: Any, cache: EmbeddingCache, batch_size: int, autocast: Callable[[], Any]) -> None:
        self._model = model
        self._cache = cache
        self._encoding = Portions(batch_size)
        self._decoding = Portions()
        self._autocast = autocast
        self._transforms = SAM2Transforms(resolution=model.image_size, mask_threshold=_LOGIT_THRESHOLD)

    def embed(self, images: Sequence[Picture]) -> dict[str, ImageEmbedding]:
        """The embeddings of images by digest; equal images are encoded once, known ones not at all."""
        known: dict[str, ImageEmbedding] = {}
        unknown: dict[str, Picture] = {}
        for image in images:
            embedding = self._cache.get(image.digest)
            if embedding is None:
                unknown[image.digest] = image
            else:
                known[image.digest] = embedding
        for digest, embedding in zip(unknown, self._encoding.run(self._encode, list(unknown.values())), strict=True):
            self._cache.put(digest, embedding)
            known[digest] = embedding
        return known

    @torch.no_grad()
    def _encode(self, images: Sequence[Picture]) -> list[ImageEmbedding]:
        """As `SAM2ImagePredictor.set_image_batch`, whose sizes hold only for models of 1024 pixels."""
        # Copies, because torch warns of arrays that it could write to but must not.
        pixels = self._transforms.forward_batch([image.pixels.copy() for image in images])
        with self._autocast():
            features = self._model.forward_image(pixels.to(self._model.device))
            _, levels, _, sizes = self._model._prepare_backbone_features(features)
        if self._model.directly_add_no_mem_embed:
            levels[-1] = levels[-1] + self._model.no_mem_embed
        *fine, coarse = (level.permute(1, 2, 0).unflatten(2, size) for level, size in zip(levels, sizes, strict=True))
        # Clones, so that an embedding does not keep its whole batch in memory.
        return [
            ImageEmbedding(coarse[row, None].clone(), tuple(level[row, None].clone() for level in fine))
            for row in range(len(images))
        ]

    def masks(self, embedding: ImageEmbedding, size: tuple[int, int], boxes: npt.NDArray[np.float32]) -> Mask:
        """One mask per box: bool [m, 224, 224], nearest-resized from the image's `size` (h, w).

        `boxes` [m, 4] are corners in fractions of the image, m ≥ 1; all that fit into memory are decoded in one call.
        """
        return np.stack(self._decoding.run(lambda some: self._decode(embedding, size, np.stack(some)), list(boxes)))

    @torch.no_grad()
    def _decode(self, embedding: ImageEmbedding, size: tuple[int, int], boxes: npt.NDArray[np.float32]) -> list[Mask]:
        """One mask bool [224, 224] per box."""
        corners = torch.from_numpy(boxes).to(self._model.device).reshape(-1, 2, 2) * self._model.image_size
        labels = torch.tensor([[2, 3]], dtype=torch.int, device=corners.device).expand(len(corners), 2)
        with self._autocast():
            sparse, dense = self._model.sam_prompt_encoder(points=(corners, labels), boxes=None, masks=None)
            logits, *_ = self._model.sam_mask_decoder(
                image_embeddings=embedding.coarse,
                image_pe=self._model.sam_prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
                repeat_image=len(corners) > 1,
                high_res_features=list(embedding.fine),
            )
        sampled = functional.grid_sample(
            logits.float(),
            _sampling_grid(size, corners.device).expand(len(corners), -1, -1, -1),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return list((sampled[:, 0] > _LOGIT_THRESHOLD).cpu().numpy())


def _sampling_grid(size: tuple[int, int], device: torch.device) -> torch.Tensor:
    """Where `grid_sample` must look: [1, 224, 224, 2] as (x, y) in −1…1.

    The mask of the paper is the logits resized bilinearly to the image, thresholded, then nearest-resized. Only the
    pixels that the second step keeps are computed here: the same values without an image-sized tensor per box.
    """
    rows, columns = ((2 * nearest_index(length, MASK_SIDE) + 1) / length - 1 for length in size)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return torch.from_numpy(np.stack([x, y], axis=-1)[None]).to(device, torch.float32)
