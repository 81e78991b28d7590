import shutil

import numpy as np
import pytest

from services.generator.loading import load
from services.generator.settings import GeneratorSettings
from services.generator.spec import Generated, GenerateRow
from services.serving.errors import InvalidInputError
from services.serving.images import decode

FLAT = "tests.unit.generator.drawers:Flat"
DEFAULTS = {"steps": 0, "guidance": -1.0}


def model_of(**settings):
    (model,) = load(GeneratorSettings(**settings))
    return model


@pytest.fixture(scope="module")
def diffusion(weights):
    return model_of(model=str(weights), t5=False, device="cpu", steps=2, size=32, max_sequence_length=4)


def test_results_are_ppm_of_the_configured_size(diffusion):
    results = diffusion.run([GenerateRow("a", 1), GenerateRow("b", 2)], DEFAULTS)
    assert all(type(result) is Generated and result.image.startswith(b"P6\n") for result in results)
    assert decode(results[0].image).pixels.shape == (32, 32, 3)
    assert results[0] != results[1]


def test_warm_up_can_be_run(diffusion):
    (batch,) = diffusion.warm_up()
    assert len(diffusion.run(batch, DEFAULTS)) == 1


def test_a_negative_seed_is_refused(diffusion):
    with pytest.raises(InvalidInputError, match="SEED"):
        diffusion.run([GenerateRow("a", -1)], DEFAULTS)


def test_the_version_follows_what_results_depend_on(weights, diffusion):
    common = {"model": str(weights), "t5": False, "device": "cpu", "size": 32, "max_sequence_length": 4}
    assert model_of(**common, steps=2).version == diffusion.version
    changed = [model_of(**common, steps=3), model_of(**common | {"max_sequence_length": 5}, steps=2)]
    assert len({diffusion.version, *(model.version for model in changed)}) == 3
    assert model_of(**common, steps=2, port=1234).version == diffusion.version


def test_a_configured_class_draws_and_its_errors_are_the_callers():
    model = model_of(backend=FLAT, backend_options={"side": 20})
    (result,) = model.run([GenerateRow("red", 77)], DEFAULTS)
    np.testing.assert_array_equal(decode(result.image).pixels, np.full((20, 24, 3), 77))
    with pytest.raises(InvalidInputError, match="names no colour"):
        model.run([GenerateRow("red", 1), GenerateRow("loud", 1)], DEFAULTS)
    assert list(model.warm_up()) == []


def test_a_configured_class_must_give_pixels():
    with pytest.raises(TypeError, match="uint8"):
        model_of(backend="tests.unit.generator.drawers:Wrong").run([GenerateRow("red", 1)], DEFAULTS)


def test_the_version_of_a_configured_class_follows_its_options_and_version():
    versions = [
        model_of(backend=FLAT).version,
        model_of(backend=FLAT, backend_options={"side": 18}).version,
        model_of(backend="tests.unit.generator.drawers:Versioned").version,
    ]
    assert len(set(versions)) == 3
    assert model_of(backend=FLAT).version == versions[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "midjourney"}, "'backend'.*diffusers"),
        ({"backend": "no.such.module:Class"}, "cannot be loaded"),
        ({"backend": FLAT, "backend_options": {"width": 3}}, "width"),
        ({"backend": "tests.unit.generator.drawers:np.pi"}, "not a class"),
    ],
)
def test_wrong_backends_are_refused_at_start(settings, message):
    with pytest.raises(ValueError, match=message):
        model_of(**settings)


def test_drawing_values_may_lie_beside_the_weights(weights, tmp_path):
    shutil.copytree(weights, tmp_path, dirs_exist_ok=True)
    (tmp_path / "steerscope.json").write_text('{"steps": 2, "size": 32, "max_sequence_length": 4}')
    common = {"model": str(tmp_path), "t5": False, "device": "cpu"}
    assert model_of(**common).facts | {"steps": "2", "size": "32"} == model_of(**common).facts
    assert model_of(**common, steps=3).facts["steps"] == "3"


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("STEERSCOPE_GENERATOR_BACKEND_OPTIONS", '{"side": 30}')
    settings = GeneratorSettings.resolve({"backend": FLAT, "steps": 4}, {"steps": None})
    assert settings.backend_options == {"side": 30}
    assert settings.steps == 4
