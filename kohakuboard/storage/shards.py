"""What stands for a shard where its name is too long to be kept with every row."""

from __future__ import annotations

from hashlib import blake2b

from ..journal.format import MACHINE_LETTER

__all__ = ["is_of_machine", "shard_number"]


def shard_number(shard: str) -> int:
    """Return the number of a shard in Lance and SQLite, 63 bits: a hash of its name; odd for those of a machine.

    So hosts need not agree on numbers, and anybody who knows the name knows the number.
    """
    number = int.from_bytes(blake2b(shard.encode(), digest_size=8).digest(), "little") >> 1
    return number | 1 if shard.startswith(MACHINE_LETTER) else number & ~1


def is_of_machine(number: int) -> bool:
    """Tell whether a shard holds samples of a machine, and not what a process logged."""
    return number & 1 == 1
