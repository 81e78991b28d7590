"""The generator's autoencoder: 64x64 pixels to 16 channels of 16x16 latents and back (MICROWORLD.md 6).

Zero-initialised residual branches, one normalisation group and no posterior sampling: with the usual settings so small
an `AutoencoderKL` stays at 19-20 dB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from services.microworld.training.common import Optimizers, Progress, cosine, mixed_precision

CHANNELS: Final = 16
LATENT_NOISE: Final = 0.1  # on the latents while training: makes them smooth
DECODER_NOISE: Final = 0.2  # the most that the decoder pass adds: diffusion's latents are never exact
BATCH: Final = 16
SILENT: Final = -8.0  # log-variance of the posterior, which is never sampled


def build_vae() -> AutoencoderKL:
    """An untrained autoencoder, .67 M parameters."""
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=1,
        sample_size=64,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    for module in vae.modules():
        if type(module).__name__ == "ResnetBlock2D":
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    with torch.no_grad():
        vae.encoder.conv_out.weight[CHANNELS:] = 0
        vae.encoder.conv_out.bias[CHANNELS:] = SILENT
    return vae


def fit_vae(pictures: Tensor, steps: int, generator: torch.Generator) -> AutoencoderKL:
    """Train encoder and decoder on pictures [n, 3, 64, 64]; sets the config's `scaling_factor` and `shift_factor`."""
    vae = build_vae().to(memory_format=torch.channels_last)

    def loss_of(rows: Tensor) -> Tensor:
        x = pictures[rows].contiguous(memory_format=torch.channels_last)
        with mixed_precision():
            z = vae.encode(x).latent_dist.mean
            output = vae.decode(z + LATENT_NOISE * _noise_like(z, generator)).sample
        loss: Tensor = _distance(output, x) + 1e-3 * z.float().square().mean()
        return loss

    # The variance half of the encoder's last layer gets no gradient: nothing samples the posterior.
    _descend(vae, loss_of, len(pictures), steps, 3e-3, generator)
    latents = encode(vae, pictures[:2000])
    vae.register_to_config(shift_factor=float(latents.mean()), scaling_factor=float(1 / latents.std()))
    return vae


def refine_decoder(vae: AutoencoderKL, pictures: Tensor, steps: int, generator: torch.Generator) -> None:
    """Train the decoder alone, in place, on latents with noise of U(0, .2)."""
    latents = encode(vae, pictures)

    def loss_of(rows: Tensor) -> Tensor:
        z = latents[rows]
        level = DECODER_NOISE * torch.rand(len(z), 1, 1, 1, generator=generator)
        z = (z + level * _noise_like(z, generator)).contiguous(memory_format=torch.channels_last)
        with mixed_precision():
            output = vae.decode(z).sample
        return _distance(output, pictures[rows])

    _descend(vae.decoder, loss_of, len(pictures), steps, 2e-3, generator)


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Latents [n, 16, 16, 16] of pictures, not yet shifted and scaled."""
    parts = []
    for chunk in pictures.split(200):
        with mixed_precision():
            mean = vae.encode(chunk.contiguous(memory_format=torch.channels_last)).latent_dist.mean
        parts.append(mean.float().contiguous())
    return torch.cat(parts)


@torch.no_grad()
def peak_signal_to_noise(vae: AutoencoderKL, pictures: Tensor, noise: float, generator: torch.Generator) -> float:
    """Mean PSNR in dB of reconstructions from latents with this much noise (in latent units)."""
    z = encode(vae, pictures)
    output = vae.decode(z + noise * _noise_like(z, generator)).sample
    error = (output.clamp(-1, 1) - pictures).square().mean((1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())


def _noise_like(z: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(z.shape, generator=generator)


def _distance(output: Tensor, target: Tensor) -> Tensor:
    difference = output.float() - target
    distance: Tensor = difference.abs().mean() + difference.square().mean()
    return distance


def _descend(
    module: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    n: int,
    steps: int,
    lr: float,
    generator: torch.Generator,
) -> None:
    """Train `module` with AdamW on random rows of n pictures."""
    optimizers = Optimizers(module.named_parameters(), lr=lr, matrix=lambda *_: False)
    progress = Progress(steps, f"generator: {type(module).__name__}")
    for step in progress:
        loss = loss_of(torch.randint(n, (BATCH,), generator=generator))
        optimizers.step(loss, cosine(step, steps, warmup=30))
        progress.log(loss=loss.detach())
