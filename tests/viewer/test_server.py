from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

import kohakuboard
import kohakuboard_viewer
from kohakuboard_viewer.server import DEFAULT_PORT, bound, serve

PROGRAM = """
import sys
from pathlib import Path
from kohakuboard_viewer.server import serve
port = None if sys.argv[2] == "default" else int(sys.argv[2])
serve(Path(sys.argv[1]), start_path="/p/x", port=port, announce=lambda line: print(line, flush=True))
print("ended", flush=True)
"""


@contextmanager
def serving(root: Path, port: str) -> Iterator[subprocess.Popen[str]]:
    packages = [str(Path(module.__file__ or "").parents[1]) for module in (kohakuboard, kohakuboard_viewer)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(packages)}
    command = [sys.executable, "-c", PROGRAM, str(root), port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_ctrl_c_ends_it_at_once_also_with_open_connections(root: Path) -> None:
    root.mkdir()
    with serving(root, "0") as process:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/p/x", line_of(process))
        assert found is not None
        with socket.create_connection(("127.0.0.1", int(found[1]))) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            process.send_signal(signal.SIGINT)
            assert line_of(process) == "ended\n"
            assert process.wait(timeout=30) == 0


def test_a_free_port_is_taken_where_the_default_is_in_use(root: Path) -> None:
    root.mkdir()
    try:
        other = socket.create_server(("127.0.0.1", DEFAULT_PORT))
    except OSError:
        other = socket.socket()  # somebody else has it already, which serves as well
    with other, serving(root, "default") as process:
        assert f"port {DEFAULT_PORT} is taken" in line_of(process)
        found = re.search(r"http://127\.0\.0\.1:\d+/", line_of(process))
        assert found is not None
        with urlopen(found[0]) as page:
            assert b"No runs here yet" in page.read()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on http://127.0.0.1:{port}"):
            serve(root, port=port, announce=lambda line: None)


def test_a_body_is_sent_without_waiting_until_its_head_is_acknowledged() -> None:
    """A chart of 60 KB came 40 ms after its head: the listener did not say that it speaks TCP."""

    async def is_delayed() -> bool:
        connection: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        listener = bound("127.0.0.1", 0)
        async with await asyncio.start_server(lambda _, writer: connection.set_result(writer), sock=listener):
            _, ours = await asyncio.open_connection(*listener.getsockname())
            theirs = await connection
            delayed = not theirs.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            ours.close()
            theirs.close()
        return delayed

    assert not asyncio.run(is_delayed())
