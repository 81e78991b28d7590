"""The paper's estimate of compute (App. F): 2 × parameters × tokens a forward pass."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The formula's letters. Tokens as counted by the paper: an image counts with its patches also in the prompt."""

    parameters: float  # P_sub: the subject with its language model
    width: int  # d_model
    dict_size: int  # d_SAE
    image_tokens: int  # T_img
    prompt_tokens: int  # T_prompt
    explanation_tokens: int  # T_expl, at most
    top_k: int  # k
    images: int  # N_eval


def precompute(shape: Shape) -> float:
    """N_eval · T_img · 2 · (P_sub + d_model · d_SAE): once per SAE and image set, for Top-k and informed."""
    return shape.images * shape.image_tokens * 2 * (shape.parameters + shape.width * shape.dict_size)


def steering(shape: Shape) -> float:
    """Per feature: 2 · P_sub · (T_prompt + T_img + T_expl)."""
    return 2 * shape.parameters * (shape.prompt_tokens + shape.image_tokens + shape.explanation_tokens)


def top_k(shape: Shape) -> float:
    """Per feature, Top-k and informed alike: 2 · P_sub · (T_prompt + k · T_img + T_expl)."""
    return 2 * shape.parameters * (
        shape.prompt_tokens + shape.top_k * shape.image_tokens + shape.explanation_tokens
    )  # fmt: skip
