from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from kohakuboard_viewer import columns

from .conftest import address_of, compare, logs

WriteRun = Callable[..., Path]


def sources(page: str) -> dict[str, str]:
    """Return the addresses that the charts of a page fetch, by metric."""
    found = re.findall(r'<kobo-chart data-key="([^"]+)" data-src="([^"]+)"', page)
    return {html.unescape(name): html.unescape(address) for name, address in found}


def test_each_metric_of_several_runs_is_a_chart_of_all_of_them(
    client: TestClient, write_run: WriteRun
) -> None:
    runs = [
        write_run("one", logs(**{"loss": 1.0, "val/acc & co": 1.0, "mine": 1.0})),
        write_run("two", logs(**{"loss": 2.0, "val/acc & co": 2.0})),
        write_run("three", logs(loss=3.0)),
    ]
    page = client.get(compare(*runs, tab="/charts")).text
    found = sources(page)
    assert list(found) == ["val/acc & co", "loss"]
    assert "2 of 3 runs" in page
    for name, number in (("loss", 3), ("val/acc & co", 2)):
        _, header = columns.decode(client.get(found[name]).content)
        assert [curve["run"] for curve in header["curves"]] == [address_of(run) for run in runs[:number]]
        assert header["missing"] == []
    assert "mine" in sources(client.get(compare(*runs, tab="/charts", alone=1)).text)
    assert list(sources(client.get(compare(*runs, tab="/charts", q="/^lo/")).text)) == ["loss"]
    assert "cannot be searched for" in client.get(compare(*runs, tab="/charts", q="/(/")).text


def test_runs_are_grouped_by_what_some_of_them_share(client: TestClient, write_run: WriteRun) -> None:
    runs = [
        write_run(
            name, logs(loss=1.0), group=group, config={"lr": lr, "seed": seed, "name": "adam", "group": group}
        )
        for name, group, lr, seed in (("a", "x", 0.1, 0), ("a", "x", 0.2, 1), ("b", "y", 0.1, 2))
    ]

    def offered(**asked: str) -> list[str]:
        page = client.get(compare(*runs, tab="/charts", **asked)).text
        choice = re.search(r'<select name="by">(.*?)</select>', page)
        return re.findall(r'value="([^"]*)"', choice[1]) if choice else []

    assert offered() == ["", "name", "group", "lr", "config.group"]
    assert offered(by="seed") == ["", "name", "group", "lr", "config.group", "seed"]
    for by, labels in (("config.group", {"config.group = x (2)", "config.group = y (1)"}), ("seed", 3)):
        address = sources(client.get(compare(*runs, tab="/charts")).text)["loss"] + f"&by={by}"
        _, header = columns.decode(client.get(address).content)
        found = {curve["label"] for curve in header["curves"]}
        assert labels in (found, len(found))


def test_runs_with_nothing_in_common_are_not_grouped(client: TestClient, write_run: WriteRun) -> None:
    runs = [write_run(f"run-{seed}", logs(loss=1.0), config={"seed": seed}) for seed in range(2)]
    assert '<select name="by">' not in client.get(compare(*runs, tab="/charts")).text
