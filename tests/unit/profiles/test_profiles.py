"""Every profile that comes with the program loads, and every section of it is understood by those who read it."""

import pytest

from orchestrator.doctor.needs import Needs
from orchestrator.index.plan import ImageSettings
from orchestrator.pipeline.defaults import JobDefaults, ValidationSettings
from orchestrator.pipeline.protocols import RELEASED, ReleasedSettings
from orchestrator.pipeline.settings import job_settings
from protos.v1.jobs_pb2 import JobSpec
from services.clip.settings import ClipSettings
from services.generator.settings import GeneratorSettings
from services.sae.settings import SaeSettings
from services.segmenter.settings import SegmenterSettings
from services.serving.profile import load_profile, profile_names
from services.vlm.settings import VlmSettings

SERVICES = {
    "vlm": VlmSettings,
    "sae": SaeSettings,
    "generator": GeneratorSettings,
    "segmenter": SegmenterSettings,
    "clip": ClipSettings,
}
ORCHESTRATOR = {
    "jobs": JobDefaults,
    "images": ImageSettings,
    "released": ReleasedSettings,
    "validation": ValidationSettings,
    "needs": Needs,
}
MICROWORLD_ONLY = {"sets", "judge", "labels", "oracle"}
REAL = ("gemma3-4b", "gemma3-12b", "gemma3-27b", "internvl3-14b", "one-card")


@pytest.mark.parametrize("name", profile_names())
def test_every_section_fits_its_reader(name):
    profile = load_profile(name)
    readers = SERVICES | ORCHESTRATOR
    assert set(profile.sections) <= set(readers) | (MICROWORLD_ONLY if name.startswith("microworld") else set())
    for section in profile.sections:
        if section in readers:
            resolve = readers[section].resolve
            resolve(profile.section(section), {}) if section in SERVICES else resolve(profile.section(section))


@pytest.mark.parametrize("name", REAL)
def test_real_profiles_say_what_they_run_and_need(name):
    profile = load_profile(name)
    for service, key in (("vlm", "model"), ("sae", "model"), ("sae", "sae"), ("generator", "model")):
        assert "/" in profile.section(service)[key]
    assert profile.section("vlm")["layer"] == profile.section("sae")["layer"] == 16
    needs = Needs.resolve(profile.section("needs"))
    assert all(getattr(needs, service).memory > 0 and getattr(needs, service).disk > 0 for service in SERVICES)


def test_both_protocols_of_gemma_steer_as_the_paper():
    for protocol in ("clean", RELEASED):
        job = job_settings(JobSpec(protocol=protocol), load_profile("gemma3-27b"))
        assert (job.steering.raw_alpha(None), job.informed.raw_alpha(None)) == (200, 50)
        assert (job.steering.positions, job.informed.positions) == ("all", "active")
        assert (job.top_k, job.generated_images) == (5, 3)


def test_the_larger_explainers_keep_the_subject_of_the_4b():
    base = load_profile("gemma3-4b")
    for name in ("gemma3-12b", "gemma3-27b", "one-card"):
        profile = load_profile(name)
        for key in ("model", "sae", "layer"):
            assert profile.section("sae")[key] == base.section("sae")[key]


def test_one_card_fits_what_it_bounds():
    profile = load_profile("one-card")
    needs = Needs.resolve(profile.section("needs"))
    for service in SERVICES:
        assert profile.section(service)["max_device_memory_gib"] == getattr(needs, service).memory
