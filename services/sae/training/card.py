"""The model card of a trained SAE."""

from collections.abc import Mapping
from typing import Any

from services.sae.training.settings import TrainingSettings

_TEXT = """# Sparse autoencoder of {model}, after block {layer}

A TopK autoencoder (`AutoEncoderTopK` of the dictionary_learning package) with {dict_size:,} features, {k} kept per
patch. It reads the residual stream after block {layer} (0-based, `{site}`), of which
it saw the patches only. The input scale is folded into the biases: give it residuals as they are.

## Serving
In a profile, or in the environment as `STEERSCOPE_SAE_…`:

```toml
[sae]
model = "{model}"
sae = "{out}"
```

## Figures
On {eval_count:,} images ({patches:,} patches) that were not trained on:

| | |
|---|---|
| L0, features per patch | {l0:.2f} |
| explained variance, 1 − Σ Var(error) / Σ Var(z) over dimensions | {explained_variance:.4f} |
| R² of the reconstruction | {r2:.4f} |
| cosine of residual and reconstruction | {cosine:.4f} |
| alive: share of features that fired on them | {alive:.4f} |

`latent_activation_frequency.json` (share of patches on which each feature fired) is of these images too.
Curves of the training: `loss.png`, `progress.jsonl`.

## Recipe
{steps:,} steps of {batch:,} patches, {epochs} epoch(s); Adam {lr:g} (β₂ {beta2:g}), warm-up {warmup:,} steps, linear
decay over the last {decay:.0%}; auxiliary loss {aux:g} on features silent for {dead_after:,} patches; gradient parallel
to the decoder's rows removed, norm clipped to 1, rows renormalised; `b_dec` from the geometric median; seed {seed}.
Activations were divided by √E‖z‖² = {scale:.6g}; E‖z‖ = {mean:.6g} (both of the first buffer).

## Data
| | location | images | set hash |
|---|---|---|---|
| trained on | `{location}` | {count:,} | `{set_hash}` |
| evaluated on | `{eval_location}` | {eval_count:,} | `{eval_set_hash}` |

{refused}
"""


def card(
    settings: TrainingSettings,
    site: str,
    steps: int,
    figures: Mapping[str, float],
    data: Mapping[str, Any],
    norms: Mapping[str, float],
) -> str:
    """Markdown."""
    count = sum(len(side["refused"]) for side in data.values())
    refused = f"{count} images could not be read; figures.json names them." if count else "All images were read."
    values: dict[str, Any] = {
        **settings.model_dump(),
        **{name: value for name, value in figures.items() if name != "patches"},
        **data["images"],
        **{f"eval_{name}": value for name, value in data["eval_images"].items()},
        **norms,
        "patches": int(figures["patches"]),
        "site": site,
        "steps": steps,
        "out": settings.out.resolve(),
        "refused": refused,
    }
    return _TEXT.format(**values)
