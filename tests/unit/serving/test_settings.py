"""Settings and profiles: precedence, refusals, where models lie."""

import pytest
from pydantic_settings import SettingsConfigDict

from services.serving.profile import ProfileError, load_profile, profile_names, resolve_path
from services.serving.settings import ServiceSettings, SettingsError


class ToySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="STEERSCOPE_TOY_")

    port: int = 8009
    model: str = "somewhere"
    options: dict[str, int] = {}  # noqa: RUF012


def test_precedence_is_command_line_environment_profile_default(monkeypatch):
    section = {"port": 1, "model": "profile", "dtype": "float16"}
    assert ToySettings.resolve({}, {}).port == 8009
    assert ToySettings.resolve(section, {}).port == 1
    monkeypatch.setenv("STEERSCOPE_TOY_PORT", "2")
    monkeypatch.setenv("STEERSCOPE_TOY_OPTIONS", '{"a": 3}')
    settings = ToySettings.resolve(section, {"port": None})
    assert (settings.port, settings.model, settings.dtype, settings.options) == (2, "profile", "float16", {"a": 3})
    assert ToySettings.resolve(section, {"port": 3}).port == 3


def test_another_service_has_another_prefix(monkeypatch):
    monkeypatch.setenv("STEERSCOPE_VLM_PORT", "2")
    assert ToySettings.resolve({}, {}).port == 8009


@pytest.mark.parametrize(
    ("section", "rule"),
    [
        ({"modle": "x"}, "setting 'modle': Extra inputs are not permitted"),
        ({"dtype": "int4"}, "setting 'dtype': .*environment STEERSCOPE_TOY_DTYPE"),
        ({"max_batch_size": 0}, "setting 'max_batch_size': Input should be greater than or equal to 1"),
    ],
)
def test_wrong_settings_are_refused_with_their_name(section, rule):
    with pytest.raises(SettingsError, match=rule):
        ToySettings.resolve(section, {})


@pytest.mark.parametrize(
    ("given", "port"), [({}, 9009), ({"port": 0}, 0), ({"metrics_port": 0}, 0), ({"metrics_port": 7}, 7)]
)
def test_metrics_lie_a_thousand_ports_higher_unless_told(given, port):
    assert ToySettings.resolve(given, {}).effective_metrics_port == port


def test_a_profile_changes_what_it_says_and_takes_the_rest(tmp_path):
    (tmp_path / "base.toml").write_text('[vlm]\nmodel = "m"\n[jobs]\nsteering = { alpha = 1.0, unit = "norm" }\n')
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\n[vlm]\nlayer = 3\n[jobs]\nsteering = { alpha = 2.0 }\n')
    profile = load_profile(str(tmp_path / "mine.toml"))
    assert profile.name == "mine"
    assert profile.section("vlm") == {"model": "m", "layer": 3}
    assert profile.section("jobs") == {"steering": {"alpha": 2.0, "unit": "norm"}}
    (tmp_path / "tuned.toml").write_text('extends = "microworld"\n[vlm]\nlayer = 3\n')
    assert load_profile(str(tmp_path / "tuned.toml")).section("sae") == load_profile("microworld").section("sae")


@pytest.mark.parametrize(("base", "rule"), [("loop.toml", "in a circle"), ("no.toml", "no such file")])
def test_a_profile_that_cannot_be_extended_is_refused(tmp_path, base, rule):
    (tmp_path / "loop.toml").write_text(f'extends = "{base}"\n')
    with pytest.raises(ProfileError, match=rule):
        load_profile(str(tmp_path / "loop.toml"))


def test_profiles_are_found_by_name_and_by_path(tmp_path):
    assert "microworld" in profile_names()
    assert load_profile("microworld").name == "microworld"
    file = tmp_path / "mine.toml"
    file.write_text('[vlm]\nmodel = "m"\n')
    profile = load_profile(str(file))
    assert (profile.name, profile.section("vlm"), profile.section("sae")) == ("mine", {"model": "m"}, {})


@pytest.mark.parametrize(
    ("text", "rule"), [("[vlm", "is not valid TOML"), ("port = 1\n[vlm]\n", "port must stand in a section")]
)
def test_broken_profiles_are_refused(tmp_path, text, rule):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=rule):
        load_profile(str(file))


def test_unknown_profiles_are_refused_with_the_known_ones():
    with pytest.raises(ProfileError, match=r"'nowhere' is unknown; give one of .*microworld"):
        load_profile("nowhere")
    with pytest.raises(ProfileError, match="no such file"):
        load_profile("./nowhere.toml")


def test_package_paths_are_resolved_and_others_left_alone():
    assert resolve_path("package:services.profiles/microworld.toml").endswith("services/profiles/microworld.toml")
    assert resolve_path("google/gemma-3-4b-it") == "google/gemma-3-4b-it"
    assert resolve_path("./here") == "./here"
    with pytest.raises(ProfileError, match="holds no 'nothing'"):
        resolve_path("package:services.profiles/nothing")
    with pytest.raises(ProfileError, match=r"no package 'services\.none'"):
        resolve_path("package:services.none/x")
