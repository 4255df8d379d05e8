"""What a package shows is what its `__all__` says."""

from __future__ import annotations

import importlib
import types

import pytest

PACKAGES = [
    "kohakuboard",
    "kohakuboard.annotations",
    "kohakuboard.client",
    "kohakuboard.reader",
    "kohakuboard.errors",
    "kohakuboard.masking",
    "kohakuboard.lightning",
    "kohakuboard.transformers",
    "kohakuboard.accelerate",
]


@pytest.mark.parametrize("name", PACKAGES)
def test_all_names_in_all_are_there_and_no_other_of_its_own(name: str) -> None:
    module = importlib.import_module(name)
    listed = set(module.__all__)
    visible = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", "").split(".")[0].startswith("kohakuboard")
    }
    assert len(listed) == len(module.__all__)
    assert all(hasattr(module, key) for key in listed)
    assert visible <= listed


def test_the_client_has_the_same_names_as_the_package() -> None:
    package, client = importlib.import_module("kohakuboard"), importlib.import_module("kohakuboard.client")
    for name in ("Board", "Figure", "Histogram", "KernelDensity", "Media", "Table", "Tensor"):
        assert getattr(package, name) is getattr(client, name)
