"""The pick in a profile: read back as every process reads it; nothing else in the file changes."""

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from orchestrator.pipeline.defaults import JobDefaults
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.profile import check, target, validation_features, write_profile
from services.serving.profile import ProfileError, load_profile
from tests.unit.tuning.examples import feature, grid, tuned, wish

SHIPPED = Path(str(resources.files("services.profiles")))
ALPHAS = [0.5, 1.25]
OWN = """\
# my deployment
extends = "microworld"

[jobs] # what jobs do
top_k = 3 # fewer
informed = { alpha = 0.25, unit = "raw", positions = "all" } # by eye

[images]
top_k = 12
"""


@pytest.fixture
def tuning():
    scores = {**grid(ALPHAS, lambda alpha: alpha / 2), **grid(ALPHAS, lambda alpha: 1 - alpha / 2, "informed_masks")}
    return tuned([feature(n, scores) for n in range(200, 260)], wish(ALPHAS, ("steering", "informed_masks")))


def settings(path) -> JobDefaults:
    return JobDefaults.resolve(load_profile(str(path)).section("jobs"))


def test_a_new_profile_extends_the_base_and_changes_alpha_only(tuning, tmp_path):
    file = tmp_path / "microworld-tuned.toml"
    write_profile(tuning, "microworld", file)
    before, after = JobDefaults.resolve(load_profile("microworld").section("jobs")), settings(file)
    assert (after.steering.alpha, after.informed.alpha) == (1.25, 0.5)
    assert after.informed.positions == before.informed.positions == "active"
    assert after.prompts == before.prompts
    found = load_profile(str(file))
    assert found.section("validation") == {"features": list(range(200, 260)), "sae": "features-v1"}
    text = file.read_text()
    assert text.startswith('extends = "microworld"\n')
    assert max(len(line) for line in text.splitlines() if not line.startswith("alpha")) <= 120
    for word in (
        "2026-01-02",
        "job 0123456789ab",
        "by iou",
        "--seed 0",
        "steerscope tune --variant steering,informed_masks",
    ):
        assert word in text
    assert validation_features("it", found, "features-v1") == tuple(range(200, 260))
    with pytest.raises(TuningError, match=r"features-v1.*remove the section"):
        validation_features("it", found, "another SAE")


def test_what_else_a_profile_says_stays_with_its_comments(tuning, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(OWN)
    file.chmod(0o640)
    write_profile(tuning, str(file), file)
    text, found = file.read_text(), settings(file)
    assert (found.steering.alpha, found.informed.alpha, found.informed.unit) == (1.25, 0.5, "norm")
    assert found.informed.positions == "all"
    assert found.top_k == 3
    for comment in ("# my deployment", "# what jobs do", "# fewer", "# by eye"):
        assert comment in text
    assert "[validation] # α by iou, 2026-01-02" in text  # an inline table has no room for it
    assert tomllib.loads(text)["images"] == {"top_k": 12}
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def again(names=("steering",)):
    """Another tuning, on features 5 and 6: α 0.5 for all."""
    scores = {key: value for name in names for key, value in grid(ALPHAS, lambda alpha: 1 - alpha / 2, name).items()}
    return tuned([feature(n, scores) for n in (5, 6)], wish(ALPHAS, names))


def test_tuning_again_replaces_the_pick(tuning, tmp_path):
    file = tmp_path / "mine.toml"
    write_profile(tuning, "microworld", file)
    write_profile(again(("steering", "informed_masks")), "microworld", file)
    assert load_profile(str(file)).section("validation")["features"] == [5, 6]
    assert (settings(file).steering.alpha, settings(file).informed.alpha) == (0.5, 0.5)
    text = file.read_text()
    assert text.count("[validation]") == text.count("[jobs.steering]") == 1
    assert text.count("2026-01-02") == 2  # a pick, a comment
    write_profile(again(("steering", "informed_masks")), "microworld", file)
    assert file.read_text() == text


def test_features_that_another_alpha_was_chosen_on_stay(tuning, tmp_path):
    file = tmp_path / "mine.toml"
    write_profile(tuning, "microworld", file)
    write_profile(again(), "microworld", file)
    assert settings(file).steering.alpha == 0.5
    assert load_profile(str(file)).section("validation")["features"] == [5, 6, *range(200, 260)]
    file.write_text(file.read_text().replace("features-v1", "features-v0"))  # of another SAE they say nothing
    write_profile(again(), "microworld", file)
    assert load_profile(str(file)).section("validation")["features"] == [5, 6]


@pytest.mark.parametrize(
    "jobs", ["[jobs]\nsteering.alpha = 9.0\n", "[jobs.steering]\nalpha = 9.0\n", "[jobs]\n", "jobs = {}\n", ""]
)
def test_every_way_to_write_a_table_is_understood(tuning, tmp_path, jobs):
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "microworld"\n{jobs}')
    write_profile(tuning, str(file), file)
    assert settings(file).steering.alpha == 1.25


def test_a_profile_by_path_is_extended_from_where_the_new_one_lies(tuning, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "base" / "own.toml").write_text(OWN)
    file = tmp_path / "new" / "own-tuned.toml"
    write_profile(tuning, str(tmp_path / "base" / "own.toml"), file)
    assert 'extends = "./../base/own.toml"' in file.read_text()
    assert settings(file).top_k == 3


def test_a_file_that_cannot_hold_it_is_left_as_it_was(tuning, tmp_path):
    file = tmp_path / "mine.toml"
    for text, error in (('extends = "microworld"\njobs = 3\n', TuningError), ("[jobs\n", Exception)):
        file.write_text(text)
        with pytest.raises(error):
            write_profile(tuning, "microworld", file)
        assert file.read_text() == text
        assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_where_the_pick_goes(tmp_path):
    assert str(target("microworld", None)) == "microworld-tuned.toml"
    assert target("./own.toml", None).name == "own.toml"
    assert target("microworld", tmp_path / "x.toml") == tmp_path / "x.toml"
    with pytest.raises(TuningError, match=r"\.toml"):
        target("microworld", tmp_path / "x.json")


def test_profiles_that_come_with_the_program_are_never_written_to(monkeypatch):
    monkeypatch.chdir(SHIPPED)
    for name in ("microworld.toml", "./microworld.toml"):
        assert target(name, None).name == "microworld-tuned.toml"
        with pytest.raises(TuningError, match="comes with the program"):
            target("microworld", SHIPPED / name)


def test_what_cannot_be_written_to_is_refused_before_the_work(tmp_path):
    base, file = load_profile("microworld"), tmp_path / "mine.toml"
    check(file, base)
    with pytest.raises(TuningError, match="no folder"):
        check(tmp_path / "nowhere" / "mine.toml", base)
    file.write_text("[jobs\n")
    with pytest.raises(TuningError, match="is no profile"):
        check(file, base)
    file.write_text('extends = "microworld"\n[sae]\nsae = "elsewhere"\n')
    with pytest.raises(TuningError, match=r"another \[sae\] sae"):
        check(file, base)
    file.write_text('extends = "microworld"\n[sae]\nport = 7\n')
    check(file, base)


def test_a_base_that_is_gone_is_said(tuning, tmp_path):
    with pytest.raises(ProfileError, match="nosuch"):
        write_profile(tuning, "nosuch/base.toml", tmp_path / "mine.toml")
    assert not list(tmp_path.iterdir())
