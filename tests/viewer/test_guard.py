from __future__ import annotations

import socket
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard_viewer.app import create_app
from kohakuboard_viewer.guard import hosts_of


def status_for(root: Path, host: str, bound: str = "127.0.0.1") -> int:
    root.mkdir(exist_ok=True)
    client = TestClient(create_app(root, hosts=hosts_of(bound)))
    return client.get("/", headers={"host": host}).status_code


@pytest.mark.parametrize(
    "host", ["127.0.0.1:48889", "localhost", "LOCALHOST:1", "[::1]:48889", "localhost.:80"]
)
def test_this_machine_is_answered(root: Path, host: str) -> None:
    assert status_for(root, host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.1"]
)
def test_a_foreign_host_is_refused(root: Path, host: str) -> None:
    """A page of evil.example whose name points to 127.0.0.1 must not read the runs of this machine."""
    assert status_for(root, host) == 400


def test_the_address_that_is_listened_on_is_answered(root: Path) -> None:
    assert status_for(root, "gpu-node:1", bound="GPU-node") == 200


def test_listening_on_all_addresses_answers_for_addresses_and_the_name_of_the_machine(root: Path) -> None:
    assert status_for(root, "10.0.0.1:80", bound="0.0.0.0") == 200
    assert status_for(root, "[fe80::1]", bound="::") == 200
    assert status_for(root, socket.gethostname(), bound="0.0.0.0") == 200
    assert status_for(root, "evil.example", bound="0.0.0.0") == 400


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/nowhere", "/version"])
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_a_refusal_has_them_too_and_says_what_to_do(client: TestClient) -> None:
    refusal = client.get("/", headers={"host": "evil.example"})
    assert "localhost" in refusal.text
    assert refusal.headers["x-content-type-options"] == "nosniff"


def test_frames_of_no_origin_get_our_scripts_and_nothing_else(client: TestClient) -> None:
    """They draw figures; refused, they stayed empty."""
    assert client.get("/static/figure.js", headers={"origin": "null"}).status_code == 200
    assert client.post("/static/figure.js", headers={"origin": "null"}).status_code == 403
    assert client.get("/", headers={"origin": "null"}).status_code == 403
