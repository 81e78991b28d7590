"""The generator's denoiser: an SD 3 transformer and the two text encoders that are trained with it."""

from __future__ import annotations

from typing import Final

import torch
from diffusers import SD3Transformer2DModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from .vae import CHANNELS

TEXT_TOKENS: Final = 16  # BOS, 14 words, EOS
ZERO_TOKENS: Final = 4  # stand for the absent T5: the pipeline appends `max_sequence_length` of them
WIDTH: Final = 128
TEXT_WIDTH: Final = 64
LAYERS: Final = 5  # 6 are a little better and exceed 8 MB
HEAD: Final = 32


class Denoiser(nn.Module):
    """Predicts the velocity noise - x0 of noisy latents, given token ids (rectified flow, as in SD 3).

    Conditions as `StableDiffusion3Pipeline` does without T5: both encoders' last but one hidden states side by side,
    then zero tokens; both projected text embeddings side by side as the pooled condition.
    """

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text_encoder = _text_encoder(tokenizer)
        self.text_encoder_2 = _text_encoder(tokenizer)
        self.transformer = SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            num_layers=LAYERS,
            attention_head_dim=HEAD,
            num_attention_heads=WIDTH // HEAD,
            caption_projection_dim=WIDTH,
            joint_attention_dim=2 * TEXT_WIDTH,
            pooled_projection_dim=2 * TEXT_WIDTH,
            pos_embed_max_size=8,  # a fixed table: the default of 96 would weigh 4.7 MB
            qk_norm="rms_norm",
        )
        for name, module in self.transformer.named_modules():
            if isinstance(module, nn.Linear) and (is_modulation(name) or name == "proj_out"):
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, noisy: Tensor, sigma: Tensor, ids: Tensor) -> Tensor:
        """Velocities [b, 16, 16, 16] of noisy latents at noise levels sigma [b] in 0..1 under ids [b, 16]."""
        outputs = [encoder(ids, output_hidden_states=True) for encoder in (self.text_encoder, self.text_encoder_2)]
        tokens = torch.cat([output.hidden_states[-2] for output in outputs], -1)
        zeros = tokens.new_zeros(len(ids), ZERO_TOKENS, tokens.shape[-1])
        velocity: Tensor = self.transformer(
            hidden_states=noisy,
            encoder_hidden_states=torch.cat([tokens, zeros], 1),
            pooled_projections=torch.cat([output.text_embeds for output in outputs], -1),
            timestep=sigma * 1000,
            return_dict=False,
        )[0]
        return velocity


def is_modulation(name: str) -> bool:
    """Whether a transformer's module or parameter of this name makes the adaptive norms' shifts and scales."""
    return any(part in name for part in ("norm1.", "norm1_context.", "norm_out."))


def _text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=3 * TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=TEXT_WIDTH,
        max_position_embeddings=TEXT_TOKENS,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModelWithProjection(config)
