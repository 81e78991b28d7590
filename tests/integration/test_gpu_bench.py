"""The bench of the published sizes: its configurations are theirs, and its way works with tiny models on a CPU."""

import pytest
import torch
from diffusers import SD3Transformer2DModel
from transformers import Gemma3ForConditionalGeneration, GroundingDinoForObjectDetection

from tests.bench.gpu.__main__ import main
from tests.bench.gpu.drawer import LATENT
from tests.bench.gpu.explainer import gemma_config
from tests.bench.gpu.finder import dino_config
from tests.bench.gpu.machine import Machine
from tests.bench.gpu.making import NEEDED, REAL_BYTES, models_of
from tests.bench.gpu.measuring import Measured
from tests.bench.gpu.page import empty_page, page
from tests.bench.gpu.results import keep, kept
from tests.bench.gpu.sizes import REAL
from tests.bench.gpu.work import WORK, Rate

HERE = Machine("NVIDIA H100, 80 GiB, CUDA 12.8", "x86_64", "Python 3.11")
MEASURED = Measured("sae", 12.34, 3 * 2.0**30, 4 * 2.0**30, 0.0, (Rate("index", "16 a batch", "images", 123.456),))


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_real_sizes_have_the_published_numbers_of_parameters():
    with torch.device("meta"):
        gemma = parameters(Gemma3ForConditionalGeneration(gemma_config(REAL)))
        dino = parameters(GroundingDinoForObjectDetection(dino_config(REAL)))
        denoiser = SD3Transformer2DModel(patch_size=2, in_channels=LATENT, out_channels=LATENT, **REAL.denoiser)
    assert gemma / 1e9 == pytest.approx(4.300, abs=0.001)  # as google/gemma-3-4b-it's card says
    assert dino / 1e6 == pytest.approx(232.3, abs=0.1)
    positions = denoiser.pos_embed.pos_embed.numel()
    assert (parameters(denoiser) + positions) / 1e9 == pytest.approx(2.470, abs=0.001)


def test_every_service_has_work_and_models():
    assert set(WORK) == set(NEEDED)
    assert set(models_of(tuple(WORK))) == set(REAL_BYTES)


def test_the_page_says_what_it_does_not_know():
    assert "Not yet run on a GPU" in empty_page()
    assert "tiny" not in page(HERE, {"sae": MEASURED}, "2026-01-01", tiny=False).lower()
    assert "no figures of the published sizes" in page(HERE, {"sae": MEASURED}, "2026-01-01", tiny=True)
    cpu = Machine("", "x86_64", "Python 3.11")
    assert "on a CPU, not on a GPU" in page(cpu, {"sae": MEASURED}, "2026-01-01", tiny=False)


def test_the_page_holds_the_figures():
    text = page(HERE, {"sae": MEASURED}, "2026-01-01", tiny=False)
    assert "2026-01-01 · NVIDIA H100" in text
    assert "| sae | 12.3 | 3.0 | 4.0 | – |" in text
    assert "| sae | index | 16 a batch | 123 images/s |" in text


def test_services_of_one_machine_come_together_and_others_are_dropped(tmp_path):
    keep(tmp_path, HERE, MEASURED)
    keep(tmp_path, HERE, Measured("clip", 1.0, 0.0, 0.0, 1.0, ()))
    assert kept(tmp_path)["sae"] == MEASURED
    assert set(kept(tmp_path)) == {"sae", "clip"}
    keep(tmp_path, Machine("other", "x86_64", "Python 3.11"), MEASURED)
    assert set(kept(tmp_path)) == {"sae"}


def test_unknown_services_and_machines_without_a_gpu_are_refused(tmp_path, monkeypatch):
    assert main(["--services", "vlam", "--scratch", str(tmp_path)]) == 2
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--scratch", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


def test_the_way_from_random_weights_to_the_page(tmp_path):
    """One service of the five, by the command itself; `--tiny` without `--services` does them all."""
    assert main(["--tiny", "--services", "sae", "--scratch", str(tmp_path)]) == 0
    measured = kept(tmp_path / "tiny")["sae"]
    assert [rate.what for rate in measured.rates] == ["index", "index", "maps of one feature"]
    assert all(rate.per_second > 0 for rate in measured.rates)
    assert measured.host_peak > 1e7
    assert "| sae | index |" in (tmp_path / "tiny/gpu-bench.md").read_text("utf-8")
