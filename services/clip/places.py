"""Where the clip service's models lie: folders, files and tags as they are, hub repositories once downloaded."""

from dataclasses import dataclass
from pathlib import Path

import open_clip

from services.serving.profile import resolve_path
from services.serving.provenance import digest_files, digest_text
from services.serving.weights import Source, weights_digest

HUB = "hf-hub:"
_BESIDE = ["*.json", "*.txt", "*.model", "*/config.json"]  # configurations and tokenizers
_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_SENTENCE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class ClipWeights:
    """What open_clip must be told, and the weights' identity."""

    name: str
    pretrained: str | None
    quick_gelu: bool
    digest: str


def find_clip(model: str, pretrained: str) -> ClipWeights:
    """The settings `model` and `pretrained`.

    `model` is a name of open_clip, whose weights `pretrained` names by a tag or a file; or a folder or a hub id
    (`hf-hub:owner/name@revision`) in open_clip's own form, which hold their weights: `open_clip_config.json`, weights
    and, if the model has its own, the tokenizer. Raises ValueError for an unknown name or tag.
    """
    source, weights = _source(model), resolve_path(pretrained)
    if model.startswith(HUB):
        folder = _download(source, _CLIP_WEIGHTS)
        return ClipWeights(f"local-dir:{folder}", None, False, weights_digest(source.location, source.revision))
    if Path(source.location).is_dir():
        return ClipWeights(f"local-dir:{source.location}", None, False, digest_files(source.location))
    if Path(weights).is_file():
        return ClipWeights(model, weights, False, digest_text(model, digest_files(weights)))
    # A tag of open_clip names one published set of weights, so that name and tag are an identity.
    return ClipWeights(model, pretrained, _needs_quick_gelu(model, pretrained), digest_text(model, pretrained))


def find_sentences(model: str) -> tuple[str, str]:
    """Folder and identity of the sentence model of that setting: a folder, `package:…` or a hub id with `@revision`.

    sentence-transformers' ids are hub ids as they are; `hf-hub:` before one, as a CLIP needs it, does no harm.
    """
    source = _source(model)
    folder = source.location if Path(source.location).is_dir() else _download(source, _SENTENCE_WEIGHTS)
    return folder, weights_digest(source.location, source.revision)


def _source(text: str) -> Source:
    source = Source.parse(text)
    return Source(source.location.removeprefix(HUB), source.revision)


def _download(source: Source, weights: tuple[str, ...]) -> str:
    """The folder of a hub repository, with the first of those files that it has: most hold their weights many times."""
    from huggingface_hub import snapshot_download

    for file in weights:
        folder = str(snapshot_download(source.location, revision=source.revision, allow_patterns=[*_BESIDE, file]))
        if (Path(folder) / file).is_file():
            return folder
    raise ValueError(f"{str(source)!r} holds none of {', '.join(weights)}")


def _needs_quick_gelu(name: str, tag: str) -> bool:
    """Whether the weights were trained with QuickGELU; open_clip only warns when the architecture's name says not."""
    known = open_clip.get_pretrained_cfg(name, tag)
    if not known:
        tags = open_clip.list_pretrained_tags_by_model(name)
        raise ValueError(f"open_clip knows no weights {tag!r} of {name!r}; tags: {tags or 'none, check the name'}")
    return bool(known.get("quick_gelu", False))
