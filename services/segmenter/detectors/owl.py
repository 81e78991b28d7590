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
        text_row = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        queries = self._encode(list(text_row))
        distinct = {image.digest: image for image in images}
        found = self._portions.run(lambda portion: self._predict(portion, queries), list(distinct.values()))
        predicted = dict(zip(distinct, found, strict=True))
        return [
            self._choose(image, *predicted[image.digest], text_row[text])
            for image, text in zip(images, texts, strict=True)
        ]

    def _choose(self, image: Picture, boxes: torch.Tensor, confidence: torch.Tensor, text: int) -> Detections:
        return best_first(boxes * self._scale(image), confidence[:, text], self._thresholds.box_threshold)

    def _encode(self, texts: list[str]) -> torch.Tensor:
        """Unit vectors [t, d] of t texts."""
        tokens = self._processor.tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self.model.device)
        with self._autocast():
            encoded = self.model.base_model.get_text_features(tokens.input_ids, tokens.attention_mask)
        return functional.normalize(encoded.pooler_output.float(), dim=-1)

    @torch.no_grad()
    def _predict(self, images: Sequence[Picture], queries: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Per image: boxes as corners [p, 4], and the confidence [p, t] that they are what t queries name."""
        pixels = self._processor.image_processor(
            images=[Image.fromarray(image.pixels) for image in images], return_tensors="pt"
        ).pixel_values
        with self._autocast():
            grid = self.model.image_embedder(pixels.to(self.model.device))[0]
        # The heads in full precision: eight bits of a coordinate are too few.
        patches = grid.float().flatten(1, 2)
        logits, _ = self.model.class_predictor(patches, queries.expand(len(images), -1, -1))
        boxes = center_to_corners_format(self.model.box_predictor(patches, grid))
        return list(zip(boxes, logits.sigmoid(), strict=True))

    def _scale(self, image: Picture) -> torch.Tensor:
        """What turns the model's box coordinates into fractions of the image: [4]."""
        return torch.ones(4, device=self.model.device)


@DETECTORS.register("owlv2")
class Owlv2Detector(OwlVitDetector):
    """OWLv2 pads images to a square at the right or the bottom: boxes come as fractions of the longer side."""

    def _scale(self, image: Picture) -> torch.Tensor:
        height, width = image.pixels.shape[:2]
        longer = max(height, width)
        return torch.tensor([longer / width, longer / height] * 2, device=self.model.device)
