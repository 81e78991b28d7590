"""The sizes of the published models, as their configurations say, and tiny ones that take the same way.

Arguments are those of the configuration classes. What is left out is the class's default, and the published model's.
"""

from dataclasses import dataclass
from typing import Any

Options = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """One set of models. `layer` is the block that the SAE reads; `image` the side of generated images."""

    gemma_text: Options
    gemma_vision: Options
    image_tokens: int
    sae: tuple[int, int]  # s, k
    layer: int
    clip_text: tuple[Options, Options]
    t5: Options
    denoiser: Options
    vae: Options
    image: int
    steps: int
    swin: Options
    bert: Options
    dino: Options
    dino_side: Options
    sam: str  # the config inside the sam2 package
    sam_changes: Options  # dotted keys
    clip: Options


# google/gemma-3-4b-it; Stable Diffusion 3.5 Medium; Grounding DINO base; SAM 2.1 hiera-large; CLIP ViT-L/14 openai.
REAL = Sizes(
    gemma_text={
        **{"vocab_size": 262_208, "hidden_size": 2560, "intermediate_size": 10_240, "num_hidden_layers": 34},
        **{"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "sliding_window": 1024},
    },
    gemma_vision={
        **{"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16},
        **{"image_size": 896, "patch_size": 14},
    },
    image_tokens=256,
    sae=(8192, 25),
    layer=16,
    clip_text=(
        {
            **{"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
            **{"projection_dim": 768, "hidden_act": "quick_gelu"},
        },
        {
            **{"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20},
            **{"projection_dim": 1280, "hidden_act": "gelu"},
        },
    ),
    t5={"d_model": 4096, "d_ff": 10_240, "d_kv": 64, "num_heads": 64, "num_layers": 24, "vocab_size": 32_128},
    denoiser={
        **{"num_layers": 24, "num_attention_heads": 24, "attention_head_dim": 64, "caption_projection_dim": 1536},
        **{"joint_attention_dim": 4096, "pooled_projection_dim": 2048, "sample_size": 128, "pos_embed_max_size": 384},
        **{"dual_attention_layers": tuple(range(13)), "qk_norm": "rms_norm"},
    },
    vae={"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32, "sample_size": 1024},
    image=512,
    steps=30,
    swin={
        **{"image_size": 384, "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]},
        **{"window_size": 12},
    },
    bert={"vocab_size": 30_522},
    dino={},
    dino_side={"shortest_edge": 800, "longest_edge": 1333},
    sam="configs/sam2.1/sam2.1_hiera_l.yaml",
    sam_changes={},
    clip={
        "embed_dim": 768,
        "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
        "text_cfg": {"context_length": 77, "vocab_size": 49_408, "width": 768, "heads": 12, "layers": 12},
    },
)

_CLIP_TEXT = {
    **{"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"projection_dim": 16},
}

TINY = Sizes(
    gemma_text={
        **{"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "sliding_window": 16},
    },
    gemma_vision={
        **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2},
        **{"image_size": 32, "patch_size": 8},
    },
    image_tokens=4,
    sae=(64, 4),
    layer=1,
    clip_text=(_CLIP_TEXT, _CLIP_TEXT),
    t5={"d_model": 32, "d_ff": 32, "d_kv": 8, "num_heads": 2, "num_layers": 2, "vocab_size": 128},
    denoiser={
        **{"num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 8, "caption_projection_dim": 16},
        **{"joint_attention_dim": 32, "pooled_projection_dim": 32, "sample_size": 16, "pos_embed_max_size": 8},
        **{"dual_attention_layers": (0,), "qk_norm": "rms_norm"},
    },
    vae={"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 1, "sample_size": 64},
    image=64,
    steps=2,
    swin={"image_size": 64, "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 2},
    bert={
        **{"vocab_size": 512, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        **{"intermediate_size": 32},
    },
    dino={
        **{"d_model": 64, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32},
        **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 12},
    },
    dino_side={"shortest_edge": 48, "longest_edge": 96},
    sam="configs/sam2.1/sam2.1_hiera_t.yaml",
    sam_changes={"image_size": 128},
    clip={
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 2},
    },
)
