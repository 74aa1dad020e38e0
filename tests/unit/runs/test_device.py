"""Which device `--device` means on machines with and without GPUs."""

from __future__ import annotations

import pytest
import torch

from triptych.errors import UserError
from triptych.runs import device as devices
from triptych.runs.device import choose_device, device_name, fault_of

FIRST, SECOND = torch.device("cuda", 0), torch.device("cuda", 1)
APPLE = torch.device("mps")


@pytest.fixture
def machine(monkeypatch):
    """Return a function that pretends which GPUs are here and which of them fail."""

    def pretend(*present, broken=()):
        monkeypatch.setattr(devices, "present_gpus", lambda: list(present))
        monkeypatch.setattr(
            devices, "fault_of", lambda device: "driver too old" if device in broken else None
        )
        monkeypatch.setattr(devices, "device_name", str)

    return pretend


@pytest.mark.parametrize(
    ("present", "broken", "asked", "chosen"),
    [
        ((), (), "auto", torch.device("cpu")),
        ((FIRST, SECOND), (), "auto", FIRST),
        ((FIRST, SECOND), (FIRST,), "auto", SECOND),
        ((FIRST,), (FIRST,), "auto", torch.device("cpu")),
        ((APPLE,), (), "auto", APPLE),
        ((FIRST,), (), "cpu", torch.device("cpu")),
        ((FIRST, SECOND), (), "cuda", FIRST),
        ((FIRST, SECOND), (FIRST,), "cuda:1", SECOND),
        ((APPLE,), (), "mps", APPLE),
    ],
)
def test_the_device_that_is_meant(machine, present, broken, asked, chosen):
    machine(*present, broken=broken)
    assert choose_device(asked) == chosen


@pytest.mark.parametrize(
    ("present", "broken", "asked", "said"),
    [
        ((), (), "gpu", "got 'gpu'; expected auto, cpu, cuda, mps, or cuda:1"),
        ((), (), "cuda:", "got 'cuda:'; expected auto"),
        ((), (), "meta", "got 'meta'; expected auto"),
        ((), (), "cuda", "does not find here; it finds cpu; choose one of these, or install torch"),
        ((FIRST,), (), "cuda:1", "it finds cpu, cuda:0; choose"),
        ((FIRST,), (), "mps", "it finds cpu, cuda:0; choose"),
        ((FIRST,), (FIRST,), "cuda", "does not work .driver too old.; update its driver, or use"),
    ],
)
def test_what_cannot_be_had_is_one_line(machine, present, broken, asked, said):
    machine(*present, broken=broken)
    with pytest.raises(UserError, match=said) as caught:
        choose_device(asked)
    assert "\n" not in str(caught.value)


def test_every_process_of_torchrun_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for rank, order in (("0", [FIRST, SECOND]), ("1", [SECOND, FIRST])):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert devices.present_gpus() == order


def test_what_is_chosen_is_said(machine, capsys):
    machine(FIRST, SECOND, broken=(FIRST,))
    choose_device("auto")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "warning: cuda:0 is here but does not work (driver too old); the next best is used",
        "computing on cuda:1",
    ]
    choose_device("cpu")
    assert capsys.readouterr().err == "computing on cpu\n"


def test_a_machine_without_gpus_says_nothing_about_them(machine, capsys):
    machine()
    choose_device("auto")
    assert capsys.readouterr().err == ""


def test_a_device_is_tried():
    assert fault_of(torch.device("cpu")) is None
    missing = torch.device("cuda", torch.cuda.device_count())
    assert fault_of(missing)
    assert "\n" not in fault_of(missing)
    assert "multiplies wrongly" in str(_fault_of_a_liar())


def _fault_of_a_liar() -> str | None:
    ones, torch.ones = torch.ones, lambda *shape, device: ones(*shape) * 2
    try:
        return fault_of(torch.device("cpu"))
    finally:
        torch.ones = ones


def test_the_cpu_has_a_short_name():
    assert device_name(torch.device("cpu")) == "cpu"
    assert device_name(torch.device("mps")) == "mps"
