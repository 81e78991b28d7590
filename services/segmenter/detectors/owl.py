"""OWL-ViT and OWLv2: images and texts meet only in the last product, so each of them is encoded once per batch."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch.nn import functional
from transformers.image_transforms import center_to_corners_format

from services.segmenter.detectors.base import DETECTORS, Detections, Detector, best_first
from services.serving.images import Picture


@DETECTORS.register("owlvit")
class OwlVitDetector(Detector):
    """OWL-ViT squashes images to a square: boxes come as fractions of the image."""

    @torch.no_grad()
    def detect(self, images: Sequence[Picture], texts: Sequence[str]) -> list[Detections]:
        distinct = {image.digest: image for image in images}
        image_row = {digest: row for row, digest in enumerate(distinct)}
        text_row = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        boxes, logits = self._predict(list(distinct.values()), list(text_row))
        confidence = logits.sigmoid()
        return [
            best_first(
                boxes[image_row[image.digest]] * self._scale(image),
                confidence[image_row[image.digest], :, text_row[text]],
                self._thresholds.box_threshold,
            )
            for image, text in zip(images, texts, strict=True)
        ]

    def _predict(self, images: list[Picture], texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes as corners [n, p, 4] and logits [n, p, t] of n images and t texts."""
        pixels = self._processor.image_processor(
            images=[Image.fromarray(image.pixels) for image in images], return_tensors="pt"
        ).pixel_values
        tokens = self._processor.tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=self._model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._model.device)
        with self._autocast():
            grid = self._model.image_embedder(pixels.to(self._model.device))[0]
            encoded = self._model.base_model.get_text_features(tokens.input_ids, tokens.attention_mask)
        # The heads in full precision: eight bits of a coordinate are too few.
        patches = grid.float().flatten(1, 2)
        queries = functional.normalize(encoded.pooler_output.float(), dim=-1)
        logits, _ = self._model.class_predictor(patches, queries.expand(len(images), -1, -1))
        return center_to_corners_format(self._model.box_predictor(patches, grid)), logits

    def _scale(self, image: Picture) -> torch.Tensor:
        """What turns the model's box coordinates into fractions of the image: [4]."""
        return torch.ones(4, device=self._model.device)


@DETECTORS.register("owlv2")
class Owlv2Detector(OwlVitDetector):
    """OWLv2 pads images to a square at the right or the bottom: boxes come as fractions of the longer side."""

    def _scale(self, image: Picture) -> torch.Tensor:
        height, width = image.pixels.shape[:2]
        longer = max(height, width)
        return torch.tensor([longer / width, longer / height] * 2, device=self._model.device)
