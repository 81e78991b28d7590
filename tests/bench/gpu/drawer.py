"""Stable Diffusion 3.5 Medium with random weights, saved as the published one is."""

from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from tests.bench.gpu.sizes import Options, Sizes
from tests.bench.gpu.words import clip_letters, t5_letters

LATENT = 16


def save_pipeline(sizes: Sizes, folder: Path) -> None:
    """All parts, T5 too."""
    tokenizer = clip_letters()
    first, second = (_text_encoder(options, tokenizer) for options in sizes.clip_text)
    third = t5_letters()
    ids = {"pad_token_id": third.pad_token_id, "eos_token_id": third.eos_token_id}
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(patch_size=2, in_channels=LATENT, out_channels=LATENT, **sizes.denoiser),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=AutoencoderKL(
            **sizes.vae,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=LATENT,
            use_quant_conv=False,
            use_post_quant_conv=False,
            scaling_factor=1.5305,
            shift_factor=0.0609,
        ),
        text_encoder=first,
        tokenizer=tokenizer,
        text_encoder_2=second,
        tokenizer_2=tokenizer,
        text_encoder_3=T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", **sizes.t5, **ids)),
        tokenizer_3=third,
    ).save_pretrained(folder)


def _text_encoder(options: Options, tokenizer: Any) -> CLIPTextModelWithProjection:
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    return CLIPTextModelWithProjection(CLIPTextConfig(vocab_size=49_408, **options, **ids))
