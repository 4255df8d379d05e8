"""Start a writer: python -m kohakuboard.writer RUN_DIR [PID [PIDFD]]; of the trainer, and a pidfd of it.

Boards do this; `kobo recover` is for people.
"""

import gc
import logging
import os
import sys
from pathlib import Path

from ..storage.spare import spare_pandas
from .process import main

if __name__ == "__main__":
    # With the usual 700, imports alone make the collector run a hundred times, and find nothing: 15 ms.
    gc.set_threshold(20_000)
    spare_pandas()
    code = main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    # All is stored and closed. An orderly end takes Lance, PyArrow and NumPy apart, which `finish` waits for: 65 ms.
    logging.shutdown()
    os._exit(code)
