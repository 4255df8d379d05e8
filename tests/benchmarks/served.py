"""The viewer as people have it: a process of its own, and a connection to it that is kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

__all__ = ["server"]


@contextmanager
def server(root: Path) -> Iterator[tuple[subprocess.Popen[str], HTTPConnection]]:
    """Serve the runs under a root with `kobo open`."""
    command = [sys.executable, "-m", "kohakuboard", "open", str(root), "--no-browser", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            port = re.search(r":(\d+)", process.stdout.readline())
            assert port is not None
            with closing(HTTPConnection("127.0.0.1", int(port[1]), timeout=300)) as connection:
                yield process, connection
        finally:
            process.terminate()
