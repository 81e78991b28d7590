"""Whole runs in this process: what ends them early is told with its remedy."""

import json

import pytest

from services.imagesets import ImageSetError
from services.sae.training.command_line import parse
from services.sae.training.errors import Interrupted, TrainingError
from services.sae.training.run import train
from tests.unit.sae_training.pictures import damage, write_pictures
from tests.unit.subject import tiny


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tiny.save(folder / "gemma")
    write_pictures(folder / "images", 12)
    write_pictures(folder / "others", 3, seed=7)
    broken = write_pictures(folder / "broken", 4, seed=8)
    for file in broken.iterdir():
        damage(file)
    return folder


def go(place, out, *more: str, stopping=lambda: False) -> None:
    images = [] if "--images" in more else ["--images", str(place / "images")]
    train(
        parse(
            [
                *("--model", str(place / "gemma"), "--layer", "1", "--out", str(out), "--device", "cpu", *images),
                *("--dict-size", "40", "--k", "3", "--batch", "16", "--warmup", "2", "--log-steps", "1", *more),
            ]
        ),
        stopping,
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--lr", "1e30"], r"the loss is (nan|inf) at step \d+: lower --lr"),
        (["--warmup", "50"], "--warmup 50: the images make"),
        (["--batch", "100000"], "--buffer-gb|--warmup"),
        (["--buffer-gb", "1e-7"], "--buffer-gb: holds 0 patches"),
        (["--layer", "9"], "layer 9: the encoder of .* has blocks 0 to 3"),
        (["--model", "/nowhere"], "--model or --layer"),
        (["--device", "tpu0"], "--device"),
        (["--eval-images", "{place}/images"], "--eval-images: 12 of them are in --images too"),
        (["--eval-images", "{place}/broken"], "--eval-images: none of the images can be decoded"),
        (["--images", "{place}/broken"], "--images: too many are damaged"),
    ],
)
def test_faults_are_one_line_with_a_remedy(place, tmp_path, more, told):
    with pytest.raises(TrainingError, match=told):
        go(place, tmp_path, *(word.format(place=place) for word in more))
    assert not (tmp_path / "ae.pt").exists()


def test_a_place_without_images(place, tmp_path):
    with pytest.raises(ImageSetError, match="no such folder"):
        go(place, tmp_path, "--images", "/nowhere")


def test_images_to_evaluate_on_may_lie_elsewhere(place, tmp_path):
    go(place, tmp_path, "--eval-images", str(place / "others"))
    data = json.loads((tmp_path / "figures.json").read_text())["data"]
    assert (data["images"]["count"], data["eval_images"]["count"]) == (12, 3)


@pytest.mark.parametrize("asked", [0, 1, 7, 13])
def test_who_ends_a_run_finds_it_where_it_was(place, tmp_path, asked):
    """Whenever it is asked to end: before anything was learnt, between steps, while it is evaluated."""
    undisturbed, torn = tmp_path / "one", tmp_path / "two"
    calls = []

    def stopping():
        calls.append(None)
        return len(calls) > asked

    go(place, undisturbed)
    with pytest.raises(Interrupted):
        go(place, torn, stopping=stopping)
    assert not (torn / "figures.json").exists()
    go(place, torn)
    assert (undisturbed / "ae.pt").read_bytes() == (torn / "ae.pt").read_bytes()
