"""Which fragments of a dataset are merged next: a log-structured merge tree in miniature.

Fragments fall into classes by their weight (points, or bins), each 32 times the one below. When a class has
32 members, or outweighs the largest merge, its oldest are merged into one of the next class, so each point is
rewritten about three times. A fragment that weighs half of the largest merge is sealed: never touched again.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FAN_IN", "MAX_MERGE", "SEALED", "next_merge"]

FAN_IN = 32
MAX_MERGE = 1_000_000  # what is held in memory at once, about 150 MB
SEALED = MAX_MERGE // 2


def next_merge(weights: Mapping[int, int], *, final: bool = False) -> list[int]:
    """Return the fragments to merge now, [] when there is nothing to do.

    Arguments:
        weights: The weight of each fragment by its number, oldest first.
        final: Merge all that is not sealed, since nothing will be added.

    """
    small = {fragment: weight for fragment, weight in weights.items() if weight < SEALED}
    if final:
        return _fitting(small)
    classes: dict[int, dict[int, int]] = {}
    for fragment, weight in small.items():
        classes.setdefault(_class(weight), {})[fragment] = weight
    due = (
        members for members in classes.values() if len(members) >= FAN_IN or sum(members.values()) > MAX_MERGE
    )
    return _fitting(next(due, {}), FAN_IN)


def _class(weight: int) -> int:
    return (weight.bit_length() - 1) // (FAN_IN.bit_length() - 1)


def _fitting(fragments: Mapping[int, int], limit: int | None = None) -> list[int]:
    """Return the first fragments that weigh no more than the largest merge, [] if that is only one."""
    chosen: list[int] = []
    total = 0
    for fragment, weight in fragments.items():
        if total + weight > MAX_MERGE or len(chosen) == limit:
            break
        chosen.append(fragment)
        total += weight
    return chosen if len(chosen) > 1 else []
