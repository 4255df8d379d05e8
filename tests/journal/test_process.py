from __future__ import annotations

import subprocess
import sys

import pytest

from kohakuboard.journal.process import host_name, is_alive, process_start_mark


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_may_be_called_anything() -> None:
    """A name that is no UTF-8 raised UnicodeDecodeError out of every question about the process."""
    program = (
        "import os, sys\n"
        "with open('/proc/self/comm', 'wb') as comm: comm.write(b'\\xff) \\xfe')\n"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        mark = process_start_mark(child.pid)
        assert mark is not None
        assert is_alive(host_name(), child.pid, mark)
        child.kill()
