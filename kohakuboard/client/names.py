"""Make memorable run names, unique run ids, and directory names out of anything."""

from __future__ import annotations

import os
import re
import time
from typing import Final
from unicodedata import normalize
from zlib import crc32

__all__ = ["directory_name", "new_run_id", "random_name"]

_ADJECTIVES: Final = """
    amber autumn azure bold brave bright brisk calm candid clear clever cosmic crisp curious daring
    deep eager early electric fair fleet gentle gilded golden grand happy hidden humble indigo ivory
    jade keen kind lively lucid lunar mellow merry mighty misty modest noble patient placid polar
    proud quick quiet radiant rapid royal rustic sage scarlet serene sharp silent silver sleek
    smooth solar spry steady still sturdy sunny swift tidal tidy tranquil true velvet vivid warm
    wild winter wise witty young zesty
""".split()  # noqa: SIM905  (a list would be one word a line)
_NOUNS: Final = """
    acorn anchor aspen badger beacon birch bison brook canyon cedar cliff comet condor coral crane
    creek dawn delta dolphin dune eagle ember falcon fern fjord forest fox galaxy garnet glacier
    grove harbor hawk heron island jaguar kestrel lagoon lantern lark lotus lynx maple marten meadow
    meteor mesa nebula oak ocean orchid osprey otter owl panda pebble pine plover pond prairie
    quartz raven reef ridge river robin sparrow spruce summit swallow thicket tiger trail tundra
    valley willow wolf wren
""".split()  # noqa: SIM905  (a list would be one word a line)
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_LONGEST: Final = 80
_LONGEST_BYTES: Final = 200
# Windows keeps these to itself, whatever follows behind a dot.
_RESERVED: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))]
)


def random_name() -> str:
    """Return two words such as 'calm-otter'. Drawn from the system, so that no seed of the user is touched."""
    draw = int.from_bytes(os.urandom(8), "little")
    draw, adjective = divmod(draw, len(_ADJECTIVES))
    return f"{_ADJECTIVES[adjective]}-{_NOUNS[draw % len(_NOUNS)]}"


def directory_name(name: str, fallback: str = "default") -> str:
    """Return a name that every file system takes, as like to the given one as can be.

    Where it is not the given one, a checksum of that is put behind it: "a/b", "a b" and "a-b" are three directories.
    """
    name = normalize("NFC", str(name))
    safe = _slug(name)
    if safe.split(".")[0].lower() in _RESERVED:
        safe = f"_{safe}"
    if safe == name or not name:
        return safe or fallback
    return f"{safe or fallback}-{crc32(name.encode('utf-8', 'surrogatepass')) & 0xFFFFFF:06x}"


def new_run_id(name: str) -> str:
    """Return an id that sorts by time and can be read: '20261123-101530-calm-otter-3f9a'."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{_slug(str(name))[:40] or 'run'}-{os.urandom(2).hex()}"


def _slug(name: str) -> str:
    safe = _UNSAFE.sub("-", name).strip("-. ")[:_LONGEST]
    # The limit of file systems is in bytes.
    return safe.encode()[:_LONGEST_BYTES].decode(errors="ignore").rstrip("-. ")
