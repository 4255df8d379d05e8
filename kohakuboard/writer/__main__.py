"""Start a writer: python -m kohakuboard.writer RUN_DIR. Boards do this; `kobo recover` is for people."""

import sys
from pathlib import Path

from .process import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
