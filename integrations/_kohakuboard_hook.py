"""Make `report_to="kohakuboard"` and its like known to the frameworks, in scripts that do not import kohakuboard.

    interpreter starts -> kohakuboard_autoload.pth puts its stub into `sys.meta_path`
    a framework is looked for -> the stub calls install(), and _Finder takes its place
    a module of TARGETS is imported, and has run -> its adapter's `register(module)` is called

The line of the `.pth` file runs in every interpreter of the environment, twice in a virtual one. So it reads no other
file: where no bytecode is kept, or the disk is far away, loading this module takes milliseconds. The stub has variables
of its own, `{'sys': sys}`: those of `site` would outlive Python's end with it, and be taken apart one by one. From
Python 3.15 on the `.start` file calls install() instead.

Nothing raises or prints, all of it leaves `sys.meta_path` when every target has come, and `KOHAKUBOARD_AUTOLOAD=0`
switches it off. A target is found by whoever finds it anyway; only the loader's `exec_module` is followed by a call,
once.
"""

import sys

# With the `.start` file, each of `typing` and `__future__` would cost a start as much as all the rest, and `os` up here
# a quarter of it: what the module of a finder holds outlives Python's end, and is then taken apart name by name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["SWITCH", "TARGETS", "failures", "install", "is_installed", "is_off"]

SWITCH = "KOHAKUBOARD_AUTOLOAD"

# Which adapter wants to know of which module. They import neither NumPy nor torch, and of the framework only what the
# target has imported already. The stub names their packages.
TARGETS = {
    "transformers.integrations.integration_utils": "kohakuboard_transformers.registration",
    "accelerate.tracking": "kohakuboard_accelerate.registration",
    "lightning.pytorch.cli": "kohakuboard_lightning.registration",
    "pytorch_lightning.cli": "kohakuboard_lightning.registration",
}

# What went wrong at a registration, by target: `kobo doctor` shows it.
failures: dict[str, str] = {}


def is_off() -> bool:
    """Tell whether the user switched it off."""
    import os

    return os.environ.get(SWITCH, "").strip().lower() in ("0", "off", "false", "no")


def is_installed() -> bool:
    """Tell whether a framework that is imported from now on will know us, unless the user switched it off."""
    return any(_is_stub(finder) or _is_ours(finder) for finder in sys.meta_path)


def install() -> None:
    """Register with the frameworks that are loaded, and with the others when they come; a second call does nothing."""
    if is_off() or any(map(_is_ours, sys.meta_path)):
        return
    waiting = dict(TARGETS)
    for target in TARGETS:
        module = sys.modules.get(target)
        if module is not None:
            _register(waiting.pop(target), module)
    if waiting:
        _take_the_place_of_the_stub(_Finder(waiting))


def _is_stub(finder: "Any") -> bool:
    return hasattr(finder, "is_kohakuboard_stub")


def _is_ours(finder: "Any") -> bool:
    return type(finder).__name__ == _Finder.__name__


def _take_the_place_of_the_stub(finder: "_Finder") -> None:
    # Its very place: while the stub is called, Python goes through the list, and would miss who moves up.
    for place, other in enumerate(sys.meta_path):
        if _is_stub(other):
            sys.meta_path[place] = finder
            return
    sys.meta_path.insert(0, finder)


class _Finder:
    """Wait for the targets among all that is imported."""

    def __init__(self, waiting: dict[str, str]) -> None:
        self._waiting = waiting

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Return what the other finders return; a loader of a target has its adapter called behind it.

        Who asks for a spec need not load it, so the target is waited for until it has run.
        """
        if name not in self._waiting:
            return None
        spec = _found_by_others(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            self._follow(spec.loader, name)
        return spec

    def _follow(self, loader: "Any", name: str) -> None:
        run = loader.exec_module

        def exec_module(module: "Any") -> None:
            run(module)
            # The loader of a zip archive runs others, too.
            if getattr(module, "__name__", None) == name:
                self._has_run(name, module)

        try:
            loader.exec_module = exec_module
        except AttributeError as exc:  # it has no room for another
            failures[name] = repr(exc)

    def _has_run(self, name: str, module: "Any") -> None:
        self._waiting.pop(name, None)
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)
        _register(TARGETS[name], module)


def _found_by_others(name: str, path: "Any", target: "Any") -> "Any":
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if find is not None and not _is_ours(finder):
            spec = find(name, path, target)
            if spec is not None:
                return spec
    return None


def _register(adapter: str, module: "Any") -> None:
    try:
        __import__(adapter)
        sys.modules[adapter].register(module)
    except Exception as exc:  # noqa: BLE001  (the user's import of a framework must not fail because of this)
        failures[module.__name__] = f"{type(exc).__name__}: {exc}"
