"""`steerscope index`: which jobs it submits, and what it tells of images that cannot be read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import index as command
from orchestrator.cli.console import CommandError
from orchestrator.cli.main import app
from orchestrator.cli.unreadable import tell_images
from orchestrator.deps import Deps
from orchestrator.local.stack import Addresses
from protos.v1.jobs_pb2 import DONE, IndexSpec, Job, WatchEvent
from tests.unit.index.test_build import make_plan
from tests.unit.pipeline import fakes
from tests.unit.pipeline.stage import IndexJob


class Client:
    """Takes index jobs; each is done at once."""

    def __init__(self) -> None:
        self.specs: list[IndexSpec] = []

    def submit(self, *, index: IndexSpec) -> Job:
        self.specs.append(index)
        return Job(id=f"job-{len(self.specs)}", state=DONE, items_total=1, items_by_state={"done": 1})

    def watch(self, job: str) -> Iterator[WatchEvent]:
        yield WatchEvent(snapshot=Job(id=job, state=DONE, items_total=1, outcomes={"images/ok": 3}))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[IndexSpec]]:
    client = Client()

    @contextmanager
    def connect(*_: object) -> Iterator[Client]:
        yield client

    monkeypatch.setattr(command, "connect", connect)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> list[IndexSpec]:
        done = CliRunner().invoke(app, ["index", *arguments, "--home", "home"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return client.specs

    return call


def test_a_folder_is_one_set_seen_from_anywhere(run, tmp_path: Path):
    (spec,) = run("pictures", "--name", "test", "--top-k", "7", "--reference", "0")
    assert spec == IndexSpec(images=str(tmp_path / "pictures"), name="test", top_k=7, reference=0)


@pytest.mark.parametrize("place", ["pictures", "hf:./set#split=val", "wds:s-{0..3}.tar"])
def test_split_builds_both_parts_of_any_place(run, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fetched: list[str] = []
    monkeypatch.setattr(command, "open_images", fetched.append)
    explain, test = run(place, "--split", "--test-share", "0.25")
    assert (explain.name, explain.split, test.name, test.split) == ("explain", "explain", "test", "test")
    assert explain.images == test.images
    assert str(tmp_path) in test.images
    assert explain.test_share == test.test_share == 0.25
    assert set(fetched) == ({place} if place.startswith("hf:") else set())


def test_a_name_and_a_split_contradict_each_other(run):
    with pytest.raises(CommandError, match="name: --split builds explain and test"):
        run("pictures", "--split", "--name", "test")


def test_a_place_that_breaks_the_grammar_is_refused_before_it_is_sent(run):
    for place, named in (("wds:http://x/a.tar", "remote"), ("hf:a/b#c", "must be KEY=VALUE")):
        with pytest.raises(CommandError, match=named):
            run(place)


def write_profile(home: Path, sets: str) -> None:
    (home / "own.toml").write_text(f"[sets]\n{sets}\n")
    Addresses("127.0.0.1:1", "redis://x", str(home / "own.toml"), f"file://{home}/artifacts").write(home)


def test_without_a_place_the_profile_names_one(run, tmp_path: Path):
    (tmp_path / "home").mkdir()
    write_profile(tmp_path / "home", 'images = "/data/val"\nsplit = true')
    assert [(spec.name, spec.images, spec.split) for spec in run()] == [
        ("explain", "/data/val", "explain"),
        ("test", "/data/val", "test"),
    ]


def test_without_a_place_the_drawn_sets_are_taken(run, tmp_path: Path):
    (tmp_path / "home").mkdir()
    write_profile(tmp_path / "home", 'prepare = "x:y"\nexplain = 3\ntest = 3')
    with pytest.raises(CommandError, match=r"no image sets at .*give a place"):
        run()
    for name in ("explain", "test"):
        (tmp_path / "home/images" / name).mkdir(parents=True)
    found = run()
    assert [(spec.name, spec.images) for spec in found] == [
        (name, str(tmp_path / "home/images" / name)) for name in ("explain", "test")
    ]
    assert not any(spec.HasField("split") for spec in found)


def test_unreadable_images_are_told_with_their_reasons(
    deps: Deps, folder: Path, services: fakes.Fakes, capsys: pytest.CaptureFixture[str]
):
    bad = {(folder / f"{i:03}.png").read_bytes() for i in range(2, 9)}
    services.sae.refuse = lambda row: bool(bad & {*getattr(row, "images", ()), getattr(row, "image", b"")})
    record = IndexJob(deps, make_plan(deps, folder)).finish().record
    job = Job(outcomes={"images/ok": 16, "images/unreadable": 7, "images/other_split": 4})
    tell_images(job, "test", deps.store)
    told = capsys.readouterr().err
    assert "16 images · 4 in the other part · 7 unreadable" in told
    assert "002.png: sae: IMAGE: refused" in told
    assert "006.png" in told
    assert "007.png" not in told
    assert str(deps.store.local_path(record.pointer)) in told
    tell_images(job, "no such index", deps.store)
    assert "in the artifact store of that Jobs API" in capsys.readouterr().err
    tell_images(Job(outcomes={"images/ok": 16}), "test", deps.store)
    assert capsys.readouterr().err.strip() == "index test: 16 images"
