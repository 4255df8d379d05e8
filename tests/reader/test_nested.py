from __future__ import annotations

from typing import Any

from kohakuboard.reader import leaves
from kohakuboard.reader.nested import DEEPEST


def test_leaves_are_named_by_their_paths() -> None:
    config = {"lr": 0.1, "optimizer": {"name": "sgd", "betas": [0.9, 0.99], "groups": {}}, "a.b": None}
    assert list(leaves(config)) == [
        ("lr", 0.1),
        ("optimizer.name", "sgd"),
        ("optimizer.betas", [0.9, 0.99]),
        ("optimizer.groups", {}),
        ("a.b", None),
    ]


def test_what_is_nested_too_deep_is_one_leaf() -> None:
    inner: dict[str, Any] = {"x": 1}
    config = inner
    for _ in range(DEEPEST + 5):
        config = {"a": config}
    ((path, value),) = leaves(config)
    assert path == ".".join("a" * (DEEPEST + 1))
    assert dict(leaves(value)) == {"a.a.a.a.x": 1}
