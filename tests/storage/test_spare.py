"""The writer and `kobo` do without pandas; the process of a user that reads runs keeps it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pandas")

SPARING = (
    "from kohakuboard.storage.spare import spare_pandas; spare_pandas(); import kohakuboard.storage.lance"
)
READING = "import kohakuboard.storage.lance"
TELL = "; import sys; print('pandas' in sys.modules)"


@pytest.mark.parametrize(("code", "has_pandas"), [(SPARING, "False"), (READING, "True")])
def test_lance_is_imported_without_pandas_where_that_is_spared(code: str, has_pandas: str) -> None:
    """The second case fails once PyArrow leaves pandas alone by itself: then nothing needs to be spared."""
    done = subprocess.run([sys.executable, "-c", code + TELL], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == has_pandas
