"""`steerscope sae train` as processes: interrupted, killed, run again; the weights are those of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from services.sae.checkpoint import load_checkpoint
from tests.unit.sae_training.pictures import damage, write_pictures
from tests.unit.subject import tiny

pytestmark = pytest.mark.integration

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
COMMAND = [sys.executable, "-c", "from orchestrator.cli import main; main()", "sae", "train"]
IMAGES, BATCH, EPOCHS = 50, 64, 90
BUFFER = (BATCH + 16 * tiny.PATCHES) * tiny.WIDTH * 4 / 1e9  # several fills an epoch, with patches left over


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> list[str]:
    """A tiny Gemma, images of which one is damaged, and a recipe in which features die."""
    folder = tmp_path_factory.mktemp("training")
    images = write_pictures(folder / "images", IMAGES)
    damage(images / "0017.png")
    return [
        *("--model", str(tiny.save(folder / "gemma")), "--layer", str(tiny.LAYER), "--images", str(images)),
        *("--dict-size", "96", "--k", "4", "--lr", "2e-3", "--batch", str(BATCH), "--epochs", str(EPOCHS)),
        *("--warmup", "10", "--dead-after", "2000", "--images-per-pass", "4", "--buffer-gb", str(BUFFER)),
        *("--eval-share", "0.1", "--device", "cpu", "--checkpoint-steps", "7", "--log-steps", "5"),
    ]


def start(options: list[str], out: Path) -> "subprocess.Popen[str]":
    """The command in a process group of its own, as a terminal would start it."""
    return subprocess.Popen(
        [*COMMAND, *options, "--out", str(out)],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit status and what it said."""
    told = process.communicate(timeout=240)[1]
    return process.returncode, told


def steps_of(out: Path) -> list[int]:
    return sorted(int(file.stem.removeprefix("step-")) for file in (out / "checkpoints").glob("step-*.pt"))


def wait_for_checkpoint(process: "subprocess.Popen[str]", out: Path, after: int) -> None:
    """Until a checkpoint of a later step than `after` lies there."""
    while not any(step > after for step in steps_of(out)):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


@pytest.fixture(scope="module")
def runs(options, tmp_path_factory) -> tuple[Path, Path]:
    """An undisturbed run, and one that was ended by Ctrl-C, then by SIGKILL, and then finished."""
    whole, torn = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("torn")
    undisturbed = start(options, whole)

    interrupted = start(options, torn)
    wait_for_checkpoint(interrupted, torn, 0)
    os.killpg(interrupted.pid, signal.SIGINT)
    status, told = finish(interrupted)
    assert status == 130, told
    assert "give the same command again" in told
    done = steps_of(torn)[-1]

    killed = start(options, torn)
    wait_for_checkpoint(killed, torn, done + 50)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (torn / "ae.pt").exists(), "it was killed too late to show anything"

    status, told = finish(start(options, torn))
    assert status == 0, told
    assert "resumed after step" in told
    status, told = finish(undisturbed)
    assert status == 0, told
    assert "resumed" not in told
    return whole, torn


def test_the_weights_are_those_of_an_undisturbed_run_to_the_last_bit(runs):
    whole, torn = runs
    for name in ("ae.pt", "config.json", "latent_activation_frequency.json"):
        assert (whole / name).read_bytes() == (torn / name).read_bytes(), name
    states = [torch.load(out / "ae.pt", weights_only=True) for out in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_curve_has_every_step_once_and_is_the_same(runs):
    curves = [[json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines()] for out in runs]
    for curve in curves:
        for row in curve:
            del row["patches_per_second"]
    assert curves[0] == curves[1]
    steps = [row["step"] for row in curves[0]]
    assert steps == sorted(set(steps))
    assert max(row["dead"] for row in curves[0]) > 0
    assert curves[0][-1]["loss"] < 0.5 * curves[0][0]["loss"]


def test_the_schedule_ends_with_the_step_that_really_was_the_last(runs):
    """One image turned out to be damaged only when it was decoded; the learning rate still falls to almost 0."""
    figures = json.loads((runs[0] / "figures.json").read_text())
    trained, held = figures["data"]["images"], figures["data"]["eval_images"]
    assert [*trained["refused"], *held["refused"]] == ["0017.png"]
    assert trained["count"] + held["count"] == IMAGES - 1
    steps = trained["count"] * tiny.PATCHES * EPOCHS // BATCH
    assert figures["recipe"]["steps"] == steps
    last = json.loads((runs[0] / "progress.jsonl").read_text().splitlines()[-1])
    assert last["step"] == steps
    assert last["lr"] == pytest.approx(2e-3 / int(0.2 * steps), rel=0.02)


def test_the_sae_is_served_as_it_is_and_its_card_says_how(runs):
    out = runs[0]
    read = load_checkpoint(str(out))
    assert (read.size, read.width, read.kept, read.layer) == (96, tiny.WIDTH, 4, tiny.LAYER)
    torch.testing.assert_close(read.directions.norm(dim=1), torch.ones(96))
    figures = json.loads((out / "figures.json").read_text())["figures"]
    assert figures["l0"] == pytest.approx(4, abs=0.2)
    assert read.mean_residual_norm == pytest.approx(figures["mean_residual_norm"], rel=0.1)
    assert figures["explained_variance"] > 0.5
    card = (out / "CARD.md").read_text()
    assert f'sae = "{out}"' in card
    assert "1 images could not be read" in card
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert steps_of(out) == []


def test_a_finished_run_is_not_repeated_and_other_settings_are_refused(runs, options):
    before = (runs[0] / "ae.pt").stat().st_mtime_ns
    again, other = start(options, runs[0]), start([*options, "--k", "5"], runs[1])
    status, told = finish(again)
    assert status == 0
    assert "trained already" in told
    assert (runs[0] / "ae.pt").stat().st_mtime_ns == before
    status, told = finish(other)
    assert status == 1
    assert "holds a run of other settings (k was 4, is 5)" in told
