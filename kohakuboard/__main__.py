"""`python -m kohakuboard` is `kobo`, for where the script is not on the path."""

from __future__ import annotations

import sys

from kohakuboard.cli import main

if __name__ == "__main__":
    sys.exit(main())
