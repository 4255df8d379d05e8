"""Which fragments of a dataset are merged next: a log-structured merge tree in miniature.

Fragments fall into classes by their weight (points, or bins), each 32 times the one below. When a class has
32 members, or outweighs the largest merge, its oldest are merged into one of the next class, so each point is
rewritten about three times. A fragment that weighs half of the largest merge is sealed: never touched again.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FAN_IN", "next_merge"]

FAN_IN = 32


def next_merge(weights: Mapping[int, int], *, largest: int, final: bool = False) -> list[int]:
    """Return the fragments to merge now, [] when there is nothing to do.

    Arguments:
        weights: The weight of each fragment by its number, oldest first.
        largest: What a merge may weigh.
        final: Merge all that is not sealed, since nothing will be added.

    """
    small = {fragment: weight for fragment, weight in weights.items() if weight < largest // 2}
    if final:
        return _fitting(small, largest)
    classes: dict[int, dict[int, int]] = {}
    for fragment, weight in small.items():
        classes.setdefault(_class(weight), {})[fragment] = weight
    due = (
        members for members in classes.values() if len(members) >= FAN_IN or sum(members.values()) > largest
    )
    return _fitting(next(due, {}), largest, FAN_IN)


def _class(weight: int) -> int:
    return (weight.bit_length() - 1) // (FAN_IN.bit_length() - 1)


def _fitting(fragments: Mapping[int, int], largest: int, limit: int | None = None) -> list[int]:
    """Return the first fragments that weigh no more than the largest merge, [] if that is only one."""
    chosen: list[int] = []
    total = 0
    for fragment, weight in fragments.items():
        if total + weight > largest or len(chosen) == limit:
            break
        chosen.append(fragment)
        total += weight
    return chosen if len(chosen) > 1 else []
