"""The JSON of the pages: each is described, what is described is true, and each page has one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app
from kohakuboard_viewer.tabs import TABS

WriteRun = Callable[..., Path]


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    def log(board: Board) -> None:
        for step in range(5):
            board.log(step=step, loss=math.nan if step == 4 else 1.0, text="hello")

    path = write_run("one", log, config={"lr": 0.1, "nested": {"a": [1, 2]}}, tags=["x"])
    broken = path.parent / "20200101-broken"
    broken.mkdir()
    (broken / "run.db").write_bytes(b"this is no database" * 100)
    return path


def operations(client: TestClient) -> dict[str, Any]:
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    return paths


def test_every_route_is_described_with_its_parameters(client: TestClient, root: Path) -> None:
    paths = operations(client)
    for route in create_app(root).routes:
        if isinstance(route, Route):
            path = re.sub(r":\w+}", "}", route.path)
            for method in (route.methods or set()) - {"HEAD"}:
                said = paths[path][method.lower()]
                assert said["summary"]
                named = {each["name"] for each in said["parameters"] if each["in"] == "path"}
                assert named == set(re.findall(r"{(\w+)}", path))


def test_every_page_has_a_twin(client: TestClient) -> None:
    paths = operations(client)
    for path in (
        "/",
        "/runs",
        "/p/{project}",
        "/trash",
        "/edit",
        "/delete",
        "/run/{project}/{run_id}",
        "/run/{project}/{run_id}/{tab}",
    ):
        assert f"{path}.json" in paths
    assert "/compare.json" in paths


def test_answers_are_as_described(client: TestClient, run: Path) -> None:
    values = {"project": run.parent.name, "run_id": run.name, "tab": "text"}
    checked = 0
    for path, methods in operations(client).items():
        schema = methods.get("get", {}).get("responses", {}).get("200", {}).get("content")
        if schema is None or path.startswith("/compare"):
            continue
        answer = client.get(path.format(**values), params={"run": f"{run.parent.name}/{run.name}"})
        assert answer.status_code == 200, path
        jsonschema.validate(answer.json(), schema["application/json"]["schema"])
        checked += 1
    assert checked >= 8


def test_groups_are_as_described(client: TestClient, run: Path) -> None:
    said = operations(client)["/runs.json"]["get"]["responses"]["200"]["content"]
    grouped = client.get("/runs.json?group=lr&q=lr+%3D+0.1").json()
    jsonschema.validate(grouped, said["application/json"]["schema"])
    assert grouped["groups"][0]["n"] == 1


@pytest.mark.parametrize("tab", [tab.path for tab in TABS if tab.path])
def test_each_tab_has_json_that_names_no_object_of_ours(client: TestClient, run: Path, tab: str) -> None:
    answer = client.get(f"/run/{run.parent.name}/{run.name}/{tab}.json")
    assert answer.status_code == 200
    assert answer.json()["run"]["name"] == "one"
    assert " object at 0x" not in answer.text


def test_json_says_what_the_page_says(client: TestClient, run: Path) -> None:
    found = client.get("/runs.json?sort=name").json()
    names = [each["name"] for each in found["runs"]]
    assert names == re.findall(r'<a href="/run/[^"]+">([^<]+)</a>', client.get("/runs?sort=name").text)
    assert [each["status"] for each in found["runs"]] == ["unreadable", "finished"]
    assert found["runs"][1]["values"]["metric.loss"] == "NaN"
    assert client.get("/.json").json()["projects"][0]["runs"] == 2


def test_a_query_that_makes_no_sense_is_refused_with_its_place(client: TestClient, run: Path) -> None:
    answer = client.get("/runs.json", params={"q": "lr = 1 and nosuch = 2"})
    assert answer.status_code == 400
    assert (answer.json()["begin"], answer.json()["end"]) == (11, 17)
