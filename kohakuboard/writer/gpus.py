"""NVIDIA's GPUs, by nvidia-ml-py, which asks the driver's own library; where there is no driver there are no GPUs."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Gpus", "gpu_names", "nvml"]

log = logging.getLogger("kohakuboard.writer")

MIB: Final = 1 << 20
MOST_GPUS: Final = 64


def nvml() -> Any:
    """Return NVIDIA's management library, ready for use; None where there is no driver."""
    try:
        library = importlib.import_module("pynvml")
        library.nvmlInit()
    except Exception as exc:  # noqa: BLE001  (no package, no driver, one that is too old: whatever it is, no GPUs)
        log.debug("no NVIDIA GPUs are looked at: %s", exc)
        return None
    return library


def gpu_names() -> list[str]:
    """Return what the machine's GPUs are called."""
    return Gpus(nvml()).names()


class Gpus:
    """Read the GPUs of the machine, numbered as the driver numbers them.

    Args:
        library: The functions of pynvml; None where there are none.
    """

    def __init__(self, library: Any) -> None:
        self._nvml = library
        count = _reading(library.nvmlDeviceGetCount) if library is not None else 0
        numbers = range(min(int(count or 0), MOST_GPUS))
        handles = {number: _reading(library.nvmlDeviceGetHandleByIndex, number) for number in numbers}
        self._handles = {number: handle for number, handle in handles.items() if handle is not None}

    def names(self) -> list[str]:
        """Return what they are called."""
        found = [_reading(self._nvml.nvmlDeviceGetName, handle) for handle in self._handles.values()]
        return [
            name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
            for name in found
            if name
        ]

    def sample(self) -> dict[str, float]:
        """Return what they are doing now; what a GPU does not tell is left out."""
        return {
            f"gpu/{number}/{name}": value
            for number, handle in self._handles.items()
            for name, value in self._readings(handle).items()
        }

    def _readings(self, handle: Any) -> dict[str, float]:
        nvml = self._nvml
        use = _reading(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = _reading(nvml.nvmlDeviceGetMemoryInfo, handle)
        power_mw = _reading(nvml.nvmlDeviceGetPowerUsage, handle)
        found = {
            "utilization": use.gpu if use is not None else None,
            "memory_mib": memory.used / MIB if memory is not None else None,
            "memory": 100 * memory.used / memory.total if memory is not None and memory.total else None,
            "power_w": power_mw / 1000 if power_mw is not None else None,
            "temperature_c": _reading(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            "clock_mhz": _reading(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            "memory_clock_mhz": _reading(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM),
        }
        return {name: float(value) for name, value in found.items() if value is not None}


def _reading(read: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except Exception:  # noqa: BLE001  (NVMLError by many names: not supported, a lost GPU, no permission)
        return None
