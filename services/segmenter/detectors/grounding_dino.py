"""Grounding DINO: image and text are fused early, so every (image, text) is a row of its own."""

from collections.abc import Hashable, Sequence

import torch
from PIL import Image
from torch.nn import functional
from transformers.image_transforms import center_to_corners_format

from services.segmenter.detectors.base import DETECTORS, Detections, Detector, best_first
from services.serving.images import Picture


def as_query(text: str) -> str:
    """The form that the model was trained on: lower case, single spaces, a full stop at the end."""
    return " ".join(text.lower().split()).rstrip(" .") + "."


@DETECTORS.register("grounding-dino")
class GroundingDinoDetector(Detector):
    """A box counts if its best token exceeds the box threshold and some word of the text exceeds the text threshold."""

    def bucket(self, image: Picture) -> Hashable:
        # Images of other sizes would be padded, and the padding would change the boxes a little.
        return image.pixels.shape[:2]

    def detect(self, images: Sequence[Picture], texts: Sequence[str]) -> list[Detections]:
        return self._portions.run(self._detect, list(zip(images, texts, strict=True)))

    @torch.no_grad()
    def _detect(self, rows: Sequence[tuple[Picture, str]]) -> list[Detections]:
        pixels = self._processor.image_processor(
            images=[Image.fromarray(image.pixels) for image, _ in rows], return_tensors="pt"
        ).to(self.model.device)
        tokens = self._processor.tokenizer(
            [as_query(text) for _, text in rows],
            padding=True,
            truncation=True,
            max_length=self.model.config.max_text_len,
            return_tensors="pt",
            return_token_type_ids=True,
        ).to(self.model.device)
        with self._autocast():
            outputs = self.model(**pixels, **tokens)
        probability = outputs.logits.float().sigmoid()
        confidence = probability.amax(dim=-1)
        said = (probability > self._thresholds.text_threshold) & self._words(tokens.input_ids, probability.shape[-1])[
            :, None
        ]
        confidence = confidence.masked_fill(~said.any(dim=-1), 0)
        corners = center_to_corners_format(outputs.pred_boxes)
        return [best_first(*row, self._thresholds.box_threshold) for row in zip(corners, confidence, strict=True)]

    def _words(self, ids: torch.Tensor, length: int) -> torch.Tensor:
        """Which of the `length` token places hold words, not marks or padding: bool [b, length]."""
        tokenizer = self._processor.tokenizer
        marks = torch.tensor([*tokenizer.all_special_ids, *tokenizer.convert_tokens_to_ids(["."])], device=ids.device)
        return functional.pad(~torch.isin(ids, marks), (0, length - ids.shape[1]))
