"""Install the autoload hook in the processes of `kobo run`, whose PYTHONPATH begins with this folder.

Python imports the first `sitecustomize` it finds, so the next one on the path, which may be the system's, is run here.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from contextlib import suppress

_HERE = os.path.dirname(os.path.abspath(__file__))

with suppress(Exception):  # a program that was started with `kobo run` must start, whatever is amiss here
    import _kohakuboard_hook

    _kohakuboard_hook.install()

_others = [folder for folder in sys.path if os.path.abspath(folder or os.curdir) != _HERE]
_next = importlib.machinery.PathFinder.find_spec("sitecustomize", _others)
if _next is not None and _next.loader is not None:
    _next.loader.exec_module(importlib.util.module_from_spec(_next))
