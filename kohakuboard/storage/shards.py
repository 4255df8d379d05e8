"""What stands for a shard where its name is too long to be kept with every row."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["shard_number"]


def shard_number(shard: str) -> int:
    """Return the number of a shard in Lance and SQLite, 63 bits: a hash of its name.

    So hosts need not agree on numbers, and anybody who knows the name knows the number.
    """
    return int.from_bytes(blake2b(shard.encode(), digest_size=8).digest(), "little") >> 1
