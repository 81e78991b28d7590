"""Cards, torch, memory, disk, packages: each condition that fails is told with its remedy."""

import sys
from collections import namedtuple

import pytest

from orchestrator.doctor import accelerators, machine, packages
from orchestrator.doctor import context as contexts
from orchestrator.doctor.gpus import Gpu, parse
from orchestrator.doctor.torch_build import TorchBuild
from tests.unit.doctor.examples import context, lines

H100 = Gpu(0, "NVIDIA H100", 79.6, 0.5, "570.1")
SMALL = Gpu(1, "NVIDIA RTX 4090", 24.0, 0.0, "570.1")


@pytest.fixture
def cards(monkeypatch):
    def put(*gpus):
        monkeypatch.setattr(contexts, "query_gpus", lambda: gpus)

    return put


@pytest.fixture
def torch(monkeypatch):
    def put(build):
        monkeypatch.setattr(contexts, "torch_build", lambda: build)

    return put


def needing(tmp_path, sections=None, **memory):
    needs = {name: {"memory": need} for name, need in memory.items()}
    return context(tmp_path, {**(sections or {}), "needs": needs}, services=tuple(memory))


def test_a_table_of_nvidia_smi_is_read():
    found = parse("NVIDIA H100 80GB HBM3, 81559, 512, 570.133.20\nOdd, [N/A], [N/A], 1\n")
    assert [(gpu.number, gpu.name, round(gpu.memory, 1)) for gpu in found] == [
        (0, "NVIDIA H100 80GB HBM3", 79.6),
        (1, "Odd", 0.0),
    ]


def test_no_card_matters_only_where_one_is_needed(tmp_path, cards):
    cards()
    assert [one.level for one in accelerators.check_gpus(needing(tmp_path, vlm=16))] == ["bad"]
    assert [one.level for one in accelerators.check_gpus(needing(tmp_path, vlm=0))] == ["ok"]


@pytest.mark.parametrize(
    ("build", "level", "said"),
    [
        (None, "bad", "pip install"),
        (TorchBuild("2.13.0+cpu"), "bad", "pip install torch==2.13.0 --index-url"),
        (TorchBuild("2.13.0", "12.8", 0), "bad", "driver"),
        (TorchBuild("2.13.0", error="ImportError: libcudart"), "bad", "libcudart"),
        (TorchBuild("2.13.0", "12.8", 1), "ok", "1 cards"),
    ],
)
def test_torch_must_fit_the_cards(tmp_path, cards, torch, build, level, said):
    cards(H100)
    torch(build)
    (found,) = accelerators.check_torch(needing(tmp_path, vlm=16))
    assert found.level == level
    assert said in found.text + found.remedy


def test_services_that_do_not_fit_one_card_are_told(tmp_path, cards):
    cards(Gpu(0, "NVIDIA RTX 4090", 24.0, 0.0, "570.1"))
    (found,) = accelerators.check_card_memory(needing(tmp_path, vlm=16, generator=17))
    assert (found.level, "one-card" in found.remedy) == ("bad", True)
    assert "computed need 34: vlm 16, generator 17" in found.text


def test_services_on_cards_of_their_own_fit(tmp_path, cards):
    cards(H100, SMALL)
    sections = {"generator": {"device": "cuda:1"}}
    found = list(accelerators.check_card_memory(needing(tmp_path, sections, vlm=63, generator=17)))
    assert [one.level for one in found] == ["ok", "ok"]
    assert "card 1 has 24 GiB" in found[1].text


def test_a_card_that_there_is_not(tmp_path, cards):
    cards(H100)
    (found,) = accelerators.check_card_memory(needing(tmp_path, {"vlm": {"device": "cuda:3"}}, vlm=16))
    assert (found.level, "no card 3" in found.text) == ("bad", True)


def test_services_that_leave_the_card_only_warn(tmp_path, cards):
    cards(Gpu(0, "4090", 24.0, 0.0, "1"))
    idle = {"vlm": {"idle_unload_seconds": 20}}
    (found,) = accelerators.check_card_memory(needing(tmp_path, idle, vlm=16, generator=10))
    assert found.level == "warn"


def test_a_cpu_service_and_one_over_several_cards_count_for_no_card(tmp_path, cards):
    cards(H100)
    sections = {"vlm": {"device_map": "auto"}, "clip": {"device": "cpu"}}
    (found,) = accelerators.check_card_memory(needing(tmp_path, sections, vlm=200, clip=2, sae=3))
    assert found.level == "ok"
    assert "sae 3" in found.text
    assert "vlm" not in found.text


def test_python_that_is_too_old(tmp_path, monkeypatch):
    version = namedtuple("version", "major minor micro")
    monkeypatch.setattr(sys, "version_info", version(3, 10, 1))
    (found,) = machine.check_python(context(tmp_path, {}))
    assert (found.level, "3.11" in found.remedy) == ("bad", True)


def test_a_home_without_room_is_bad_and_a_small_cache_a_warning(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _folder: usage(10, 9, 1e9))
    found = list(machine.check_disk(context(tmp_path, {"needs": {"vlm": {"disk": 8.6}}})))
    assert [one.level for one in found] == ["warn", "bad"]
    assert "HF_HOME" in found[0].remedy
    assert "--home" in found[1].remedy


def test_main_memory_smaller_than_the_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_main_memory", lambda: (32e9, 20e9))
    needs = {"vlm": {"disk": 55}, "generator": {"disk": 16}, "clip": {"disk": 2}}

    def level(**sections):
        (found,) = machine.check_memory(context(tmp_path, {"needs": needs, **sections}))
        return found.level

    assert level() == "ok"  # the vlm goes straight onto its card
    assert level(vlm={"idle_unload_seconds": 20}) == "warn"
    assert level(clip={"idle_unload_seconds": 20}) == "ok"
    needs["generator"]["disk"] = 21
    assert level(generator={"offload": "none"}) == "warn"


def test_missing_and_outdated_packages_are_named(tmp_path, monkeypatch):
    declared = ["numpy>=2", 'torch==99.0; extra == "vlm"', 'no-such-thing; extra == "vlm"', 'grpcio; extra == "clip"']
    monkeypatch.setattr(packages, "requires", lambda _name: declared)
    (found,) = packages.check_packages(context(tmp_path, {}, services=("vlm",)))
    assert found.level == "bad"
    assert "no-such-thing is missing, torch is " in found.text
    assert "steerscope[vlm]" in found.remedy
    assert lines(packages.check_packages(context(tmp_path, {}, services=("clip",)))) == [
        "ok packages: clip: all there -> "
    ]
