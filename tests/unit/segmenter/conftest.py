"""Random detectors and a random SAM 2 of the real classes, saved and loaded as the real ones are."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sam2
import torch
from PIL import Image
from tokenizers import pre_tokenizers
from transformers import (
    BertConfig,
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessor,
    OwlViTProcessor,
    SwinConfig,
)

from services.segmenter.detectors import Detector, Thresholds, load_detector
from services.segmenter.sam import load_sam
from services.serving.images import Picture, decode
from services.serving.weights import Source

CONTEXT = 8
SAM_CONFIG = Path(__file__).with_name("sam2.yaml")
full_precision: Callable[[], Any] = contextlib.nullcontext


def picture(seed: int, height: int = 48, width: int = 48, size: int = 12) -> Picture:
    """Random squares of colour, as PNG."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (-(-height // size), -(-width // size), 3), dtype=np.uint8)
    pixels = small.repeat(size, axis=0).repeat(size, axis=1)[:height, :width]
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return decode(out.getvalue())


def _letter_tokenizer() -> CLIPTokenizer:
    """Every letter is a token; the pad id 0 belongs to nothing else, as OWL-ViT demands."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|pad|>", *letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="<|pad|>", model_max_length=CONTEXT)


def _owl_configs(tokenizer: CLIPTokenizer) -> dict[str, Any]:
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    return {
        "text_config": shape | ids | {"vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT},
        "vision_config": shape | {"image_size": 32, "patch_size": 8},
        "projection_dim": 16,
    }


def _quiet(model: Any) -> Any:
    """With the classes' own initial values the confidences would all be 0 or 1."""
    for parameter in model.class_head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture(scope="session")
def owlvit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tokenizer, folder = _letter_tokenizer(), tmp_path_factory.mktemp("owlvit")
    _quiet(OwlViTForObjectDetection(OwlViTConfig(**_owl_configs(tokenizer)))).save_pretrained(folder)
    images = OwlViTImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
    OwlViTProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def owlv2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    tokenizer, folder = _letter_tokenizer(), tmp_path_factory.mktemp("owlv2")
    _quiet(Owlv2ForObjectDetection(Owlv2Config(**_owl_configs(tokenizer)))).save_pretrained(folder)
    images = Owlv2ImageProcessor(size={"height": 32, "width": 32})
    Owlv2Processor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def grounding_dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("grounding_dino")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *letters, *("##" + letter for letter in letters)]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(words))
    tokenizer = BertTokenizer(str(vocabulary))
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=2,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        ),
        d_model=64,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=12,
        max_text_len=32,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = GroundingDinoImageProcessor(size={"shortest_edge": 48, "longest_edge": 96})
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def load() -> Callable[..., Detector]:
    """Loads a detector in float32 on the CPU; `box` is the box threshold."""

    def load_one(folder: Path, box: float = 0.0, images_per_pass: int = 8) -> Detector:
        return load_detector(Source(str(folder)), Thresholds(box, 0.0), "cpu", full_precision, images_per_pass)

    return load_one


def _save_sam(config: Path, folder: Path) -> Path:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    torch.manual_seed(3)
    model = instantiate(OmegaConf.load(config).model, _recursive_=True)
    # A random decoder answers with one sign everywhere; a bias-free, louder last product makes it cut the image.
    for parameter in model.sam_mask_decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.save({"model": model.state_dict()}, folder / "model.pt")
    return folder / "model.pt"


@pytest.fixture(scope="session")
def sam_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save_sam(SAM_CONFIG, tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="session")
def sam_model(sam_checkpoint: Path) -> Any:
    return load_sam(str(SAM_CONFIG), str(sam_checkpoint), postprocessing=False, device="cpu")


@pytest.fixture(scope="session")
def sam21(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model.yaml` and `model.pt` of a SAM 2.1: the settings of the package's configs, small."""
    from omegaconf import OmegaConf

    released = OmegaConf.load(Path(sam2.__file__).parent / "configs/sam2.1/sam2.1_hiera_l.yaml").model
    tiny = OmegaConf.load(SAM_CONFIG)
    plain = {key: value for key, value in OmegaConf.to_container(released).items() if not isinstance(value, dict)}
    tiny.model.update(plain | {"image_size": tiny.model.image_size})
    folder = tmp_path_factory.mktemp("sam21")
    OmegaConf.save(tiny, folder / "model.yaml")
    _save_sam(folder / "model.yaml", folder)
    return folder
