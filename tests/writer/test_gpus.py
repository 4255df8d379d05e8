"""GPUs as NVIDIA's library tells of them; the library is a stand-in, at the seam of its functions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kohakuboard import Board
from kohakuboard.reader import open_run
from kohakuboard.writer.gpus import Gpus, gpu_names
from tests.reliability.processes import wait_for


class NotSupportedError(Exception):
    """What the library raises, by another name."""


class Library:
    """Answer as pynvml does for two GPUs; the second is a slice of one, which tells little."""

    NVML_TEMPERATURE_GPU, NVML_CLOCK_SM, NVML_CLOCK_MEM = 0, 1, 2

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        return b"A100 MIG" if handle else "H100"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=(handle + 1) << 30, total=8 << 30)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=self._of_whole(handle, 97), memory=40)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return self._of_whole(handle, 350_500)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        assert sensor == self.NVML_TEMPERATURE_GPU
        return self._of_whole(handle, 61)

    def nvmlDeviceGetClockInfo(self, handle: int, clock: int) -> int:  # noqa: N802
        return self._of_whole(handle, {self.NVML_CLOCK_SM: 1980, self.NVML_CLOCK_MEM: 2619}[clock])

    def _of_whole(self, handle: int, value: int) -> int:
        if handle:
            raise NotSupportedError
        return value


def test_a_gpu_tells_its_use_memory_power_temperature_and_clocks() -> None:
    sample = Gpus(Library()).sample()
    assert {name: value for name, value in sample.items() if name.startswith("gpu/0/")} == {
        "gpu/0/utilization": 97.0,
        "gpu/0/memory": 12.5,
        "gpu/0/memory_mib": 1024.0,
        "gpu/0/power_w": 350.5,
        "gpu/0/temperature_c": 61.0,
        "gpu/0/clock_mhz": 1980.0,
        "gpu/0/memory_clock_mhz": 2619.0,
    }


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    sample = Gpus(Library()).sample()
    assert {name for name in sample if name.startswith("gpu/1/")} == {"gpu/1/memory", "gpu/1/memory_mib"}


def test_gpus_have_names() -> None:
    assert Gpus(Library()).names() == ["H100", "A100 MIG"]


def test_a_gpu_that_is_lost_costs_the_others_nothing() -> None:
    library = Library()

    def lost(number: int) -> int:
        if number == 0:
            raise NotSupportedError
        return number

    library.nvmlDeviceGetHandleByIndex = lost  # type: ignore[method-assign]
    assert {name.split("/")[1] for name in Gpus(library).sample()} == {"1"}


def test_without_a_driver_there_are_none() -> None:
    assert Gpus(None).sample() == {}
    assert Gpus(None).names() == []


@pytest.mark.skipif(not gpu_names(), reason="there is no NVIDIA driver here")
def test_a_real_gpu_is_sampled_beside_training_and_named() -> None:
    with Board(capture_output=False, system_metrics_every_s=0.1) as board:
        run = open_run(board.path)
        board.log(a=1)
        wait_for(lambda: (run.refresh(), "system/gpu/0/memory_mib" in run.system_metrics())[1])
    run = open_run(board.path)
    memory = run.series("system/gpu/0/memory")
    assert ((memory.value >= 0) & (memory.value <= 100)).all()
    assert {
        f"system/gpu/0/{name}" for name in ("utilization", "power_w", "temperature_c", "clock_mhz")
    } <= set(run.system_metrics())
    assert run.environment["gpus"] == gpu_names()
