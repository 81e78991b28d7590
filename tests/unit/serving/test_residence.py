"""Weights leave and come back: which models, when, and what the metrics say."""

import sys
import types

import pytest
import torch
from prometheus_client import CollectorRegistry, generate_latest
from torch import nn

from services.serving import device as device_module
from services.serving import device_modules
from services.serving.device import limit_memory
from services.serving.device_modules import DeviceModules
from services.serving.memory import MemoryCollector
from services.serving.residence import Residence
from tests.unit.serving.toy import ToyModel, WholeModel


@pytest.fixture(autouse=True)
def no_garbage_collection(monkeypatch):
    released = []
    monkeypatch.setattr(device_modules, "release_memory", lambda: released.append(True))
    return released


def samples(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_without_the_setting_nothing_is_ever_due():
    residence = Residence()
    residence.install([ToyModel()])
    assert residence.due is None


def test_work_puts_sleep_off_and_sleep_ends_it():
    residence, model = Residence(60.0), ToyModel()
    residence.install([model])
    first = residence.due
    residence.touch()
    assert residence.due > first
    residence.sleep()
    assert residence.due is None and model.asleep
    residence.wake(model)
    assert residence.due is not None and not model.asleep


def test_only_the_model_that_is_asked_for_wakes_and_all_sleep_together():
    residence, toy, whole = Residence(1.0), ToyModel(), WholeModel()
    residence.install([toy, whole])
    residence.sleep()
    residence.wake(whole)
    assert (residence.loaded("toy"), residence.loaded("whole")) == (False, True)
    assert toy.asleep
    residence.sleep()
    assert toy.naps == 1 and not residence.loaded("whole")


def test_a_lazy_model_counts_as_asleep_until_it_is_first_asked_for():
    model = ToyModel(asleep=True)
    model.lazy = True
    residence = Residence()
    residence.install([model])
    assert not residence.loaded("toy")
    residence.wake(model)
    assert residence.loaded("toy") and not model.asleep


def test_metrics_tell_which_models_are_loaded_and_the_peak_of_main_memory():
    residence = Residence()
    residence.install([ToyModel(), WholeModel()])
    residence.sleep()
    residence.wake(residence._models[1])
    found = samples(MemoryCollector(residence, ["toy", "whole"]))
    assert found['steerscope_model_loaded{model="toy"}'] == 0
    assert found['steerscope_model_loaded{model="whole"}'] == 1
    assert found["steerscope_host_memory_peak_bytes"] > 10 << 20


def test_metrics_of_devices_appear_only_where_one_is_in_use(monkeypatch):
    cuda = types.SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        memory_allocated=lambda device: 10 + device,
        memory_reserved=lambda device: 20 + device,
        max_memory_allocated=lambda device: 30 + device,
    )
    collector = MemoryCollector(Residence(), [])
    assert not any("device_memory" in name for name in samples(collector))
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    found = samples(collector)
    assert found['steerscope_device_memory_allocated_bytes{device="cuda:0"}'] == 10
    assert found['steerscope_device_memory_reserved_bytes{device="cuda:1"}'] == 21
    assert found['steerscope_device_memory_peak_bytes{device="cuda:1"}'] == 31


def test_every_tensor_goes_to_main_memory_and_back_to_its_own_device(no_garbage_collection, monkeypatch):
    """There is only one device here: where tensors are sent is written down instead."""
    first, second, sent, forgotten = nn.Linear(2, 2), nn.BatchNorm1d(2).eval(), [], []
    tied = nn.Sequential(first, nn.Identity(), second)
    tied.register_parameter("again", first.weight)
    modules = DeviceModules(tied, torch.zeros(3), forget=lambda: forgotten.append(True))
    assert (len(modules._tensors), len(modules._buffers)) == (5, 3)
    modules._tensors = [(one, f"cuda:{place}") for place, (one, _) in enumerate(modules._tensors)]
    modules._buffers = [(part, name, "cuda:9") for part, name, _ in modules._buffers]
    before = tied(torch.ones(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "to", lambda tensor, where: sent.append(str(where)) or tensor.clone())
        for _ in range(2):  # both may come twice
            modules.sleep()
        for _ in range(2):
            modules.wake()
    assert sent == ["cpu"] * 16 + [*(f"cuda:{place}" for place in range(5)), *["cuda:9"] * 3] * 2
    assert tied.again is first.weight and second.running_mean is dict(second.named_buffers())["running_mean"]
    torch.testing.assert_close(tied(torch.ones(1, 2)), before, rtol=0, atol=0)
    assert len(forgotten) == len(no_garbage_collection) == 2


def test_what_lies_on_no_device_stays():
    modules = DeviceModules(nn.BatchNorm1d(2, device="meta"), nn.Linear(2, 2))
    assert (len(modules._tensors), len(modules._buffers)) == (2, 0)


def test_a_served_model_passes_sleep_on_to_what_holds_its_weights():
    model = WholeModel()
    model.sleep()
    model.wake()  # nothing holds any
    calls = []
    model.resident = types.SimpleNamespace(sleep=lambda: calls.append("sleep"), wake=lambda: calls.append("wake"))
    model.sleep()
    model.wake()
    assert calls == ["sleep", "wake"]


@pytest.mark.parametrize(("gibibytes", "fraction"), [(20, 0.25), (200, 1.0)])
def test_the_bound_on_device_memory_reaches_torch_as_a_fraction(monkeypatch, gibibytes, fraction):
    set_to = []
    monkeypatch.setattr(device_module, "resolve_device", torch.device)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(total_memory=80 * 2**30)
    )
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *arguments: set_to.append(arguments))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    limit_memory("cuda:1", gibibytes)
    limit_memory("cuda", gibibytes)  # as `auto` gives it: torch wants a number
    assert set_to == [(fraction, 1), (fraction, 0)]


def test_a_cpu_has_no_such_bound(monkeypatch):
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", None)
    limit_memory("cpu", 1.0)
