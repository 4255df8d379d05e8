from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kohakuboard_viewer.tree import Branch, tree_of

CONFIG = {
    "model": {"depth": 50, "blocks": [{"n": 3}, {"n": 4}]},
    "betas": [0.9, 0.99],
    "empty": {},
    "seed": None,
}


def leaves(branches: Sequence[Branch]) -> list[tuple[str, str]]:
    found = []
    for one in branches:
        found += leaves(one.branches) if one.text is None else [(one.path, one.text)]
    return found


def test_every_value_is_a_leaf_under_its_path() -> None:
    tree = tree_of(CONFIG, [])
    assert leaves(tree.branches) == [
        ("model.depth", "50"),
        ("model.blocks.0.n", "3"),
        ("model.blocks.1.n", "4"),
        ("betas", "[0.9, 0.99]"),
        ("empty", "{}"),
        ("seed", "null"),
    ]
    assert (tree.n_leaves, tree.n_hidden) == (6, 0)
    assert json.loads(tree.json or "") == CONFIG


def test_a_search_keeps_the_branches_that_lead_to_what_it_finds() -> None:
    assert leaves(tree_of(CONFIG, ["blocks", "4"]).branches) == [("model.blocks.1.n", "4")]
    assert not tree_of(CONFIG, ["nothing"]).branches


def test_a_huge_config_is_cut_and_says_so_but_can_be_searched() -> None:
    config = {f"key{i:05}": "x" * 30 for i in range(5000)}
    tree = tree_of(config, [])
    assert (len(tree.branches), tree.n_leaves, tree.n_hidden, tree.json) == (2000, 5000, 3000, None)
    assert leaves(tree_of(config, ["key04999"]).branches) == [("key04999", "x" * 30)]


def test_what_is_nested_endlessly_is_shown_as_json_from_some_depth_on() -> None:
    value: dict[str, Any] = {"end": 1}
    for _ in range(100):
        value = {"a": value}
    ((path, text),) = leaves(tree_of(value, []).branches)
    assert path.count(".") < 20
    assert text.startswith('{"a": ')
