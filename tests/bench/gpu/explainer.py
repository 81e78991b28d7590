"""Gemma 3 and an SAE on its tower, with random weights, saved as the published ones are."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3ImageProcessor, Gemma3Processor

from tests.bench.gpu.sizes import Sizes
from tests.bench.gpu.words import gemma_words
from tests.unit.subject.tiny import TEMPLATE


def gemma_config(sizes: Sizes) -> Gemma3Config:
    """The configuration; ids are those of `gemma_words`."""
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    return Gemma3Config(
        text_config={"query_pre_attn_scalar": sizes.gemma_text["head_dim"], **sizes.gemma_text, **ids},
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **sizes.gemma_vision},
        mm_tokens_per_image=sizes.image_tokens,
        **{"boi_token_index": 3, "eoi_token_index": 4, "image_token_index": 5},
        **ids,
    )


def save_gemma(sizes: Sizes, folder: Path) -> None:
    """The whole VLM with its processor."""
    model: Any = Gemma3ForConditionalGeneration(gemma_config(sizes)).eval()
    with torch.no_grad():
        # It starts at zeros; small, so that the language model's numbers stay in range.
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(std=0.02)
    model.save_pretrained(folder)
    side = sizes.gemma_vision["image_size"]
    images = Gemma3ImageProcessor(
        size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_pan_and_scan=False
    )
    Gemma3Processor(images, gemma_words(), chat_template=TEMPLATE, image_seq_length=sizes.image_tokens).save_pretrained(
        folder
    )


def save_sae(sizes: Sizes, folder: Path) -> None:
    """A TopK SAE in the files of the dictionary_learning package; every feature counts as alive."""
    (size, kept), width = sizes.sae, sizes.gemma_vision["hidden_size"]
    rows = torch.nn.functional.normalize(torch.randn(size, width, dtype=torch.float32), dim=1).cpu()
    state = {
        "encoder.weight": rows,
        "encoder.bias": torch.zeros(size, dtype=torch.float32, device="cpu"),
        "decoder.weight": rows.T.contiguous(),
        "b_dec": torch.zeros(width, dtype=torch.float32, device="cpu"),
        "k": torch.tensor(kept, device="cpu"),
        "threshold": torch.tensor(-1.0, dtype=torch.float32, device="cpu"),
    }
    torch.save(state, folder / "ae.pt")
    trainer = {"dict_class": "AutoEncoderTopK", "activation_dim": width, "dict_size": size, "k": kept}
    trainer |= {"layer": sizes.layer, "mean_residual_norm": 1.0}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}), encoding="utf-8")
    (folder / "latent_activation_frequency.json").write_text(json.dumps([kept / size] * size), encoding="utf-8")
