"""Random Stable Diffusion 3 and 3.5 of the real classes, saved and loaded as the real ones are (32 pixels)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from tokenizers import pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from services.generator.diffusion import Offload, load_pipeline
from services.serving.weights import Source

CONTEXT = 8
SD3 = {"in_channels": 4, "out_channels": 4, "num_layers": 2}
# The two options by which the transformers of 3.5 differ: normalised queries and keys, a second attention in Medium.
SD35_LARGE = {"in_channels": 16, "out_channels": 16, "num_layers": 3, "qk_norm": "rms_norm"}
SD35_MEDIUM = SD35_LARGE | {"dual_attention_layers": (0, 1)}


def letter_tokenizer() -> CLIPTokenizer:
    """Every letter is a token; BOS and EOS have the highest ids, at which CLIP pools."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|pad|>", *letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        pad_token="<|pad|>",
        model_max_length=CONTEXT,
    )


def t5() -> dict[str, Any]:
    """A third text encoder with its tokenizer, every letter a token; its width is the joint one."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(ord("a"), ord("z") + 1)]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return {"text_encoder_3": T5EncoderModel(config), "tokenizer_3": tokenizer}


def save_pipeline(
    folder: Path, transformer: dict[str, Any], third: dict[str, Any] | None = None, seed: int = 0
) -> Path:
    """A random pipeline with a transformer of those options, without T5 unless given."""
    torch.manual_seed(seed)
    tokenizer = letter_tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=16,
        max_position_embeddings=CONTEXT,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    denoiser = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_projection_dim=16,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        pos_embed_max_size=8,
        **transformer,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=transformer["in_channels"],
        norm_num_groups=1,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.0,
        scaling_factor=1.0,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    pipeline = StableDiffusion3Pipeline(
        transformer=denoiser,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae,
        text_encoder=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer_2=tokenizer,
        **(third or {"text_encoder_3": None, "tokenizer_3": None}),
    )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("generator"), SD3)


@pytest.fixture(scope="session")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Stable Diffusion 3.5 Medium, with T5."""
    torch.manual_seed(1)
    return save_pipeline(tmp_path_factory.mktemp("medium"), SD35_MEDIUM, t5())


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Stable Diffusion 3.5 Large, with T5."""
    torch.manual_seed(2)
    return save_pipeline(tmp_path_factory.mktemp("large"), SD35_LARGE, t5())


@pytest.fixture(scope="session")
def pipeline(weights: Path) -> StableDiffusion3Pipeline:
    return load_pipeline(Source(str(weights)), t5=False, device="cpu", dtype=torch.float32)


@pytest.fixture(scope="session")
def load() -> Callable[..., Any]:
    """Loads a pipeline, in float32 on the CPU unless told."""

    def load_one(
        folder: Path,
        t5: bool = True,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        offload: Offload = "none",
    ) -> Any:
        return load_pipeline(Source(str(folder)), t5=t5, device=device, dtype=dtype, offload=offload)

    return load_one
