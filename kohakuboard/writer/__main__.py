"""Start a writer: python -m kohakuboard.writer RUN_DIR [PID [PIDFD]]; of the trainer, and a pidfd of it.

Boards do this; `kobo recover` is for people.
"""

import sys
from pathlib import Path

from .process import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
