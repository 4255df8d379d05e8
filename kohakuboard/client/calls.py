"""Log calls that are more than floats under known names: value by value, each refused by itself.

A value that is still on a device is waited for by a thread, see device.py; its call is appended when it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from time import time as now
from typing import Any

from ..errors import BoardClosedError, RichValueError
from ..journal.format import RICH
from ..journal.shard import Clock
from ..journal.stage import StagingError
from .device import is_on_device
from .journalling import Journalling
from .plain import describe, storable_text
from .rich import Rich
from .scalars import NotAScalarError, to_float
from .steps import HIGHEST_STEP
from .values import encode_rich, rich_values, type_name

__all__ = ["Calls"]


class Calls(Journalling):
    """Give a board the way of all calls that its `log` does not append at once."""

    def _log_each(self, values: Mapping[str, Any], step: Any) -> None:
        """Log what can be logged of values of any kind."""
        if self.closed:
            raise BoardClosedError(self.name)
        try:
            step = self._valid_step(step)
            if HIGHEST_STEP > step >= self._next_step:
                self._next_step = step + 1
            scalars, items = self._sort(values, step)
            late = [name for name, value in scalars.items() if type(value) is not float]
            if late or any("late" in item for item in items):
                self._log_late(step, scalars, items, late)
            else:
                self._append(self._shard, step, scalars, items)
        except BoardClosedError:
            raise
        except Exception as exc:  # noqa: BLE001  (the boundary: a defect here must not end somebody's training)
            self._failed(exc)

    def _append(
        self,
        shard: Any,
        step: int,
        scalars: dict[str, float],
        items: list[dict[str, Any]],
        now: Clock = now,
    ) -> None:
        payload = self._encoded(scalars, items) if items else None
        try:
            if payload is not None:
                shard.record(RICH, step, payload, now)
            elif scalars:
                shard.row(step, scalars, now)
        except (OSError, MemoryError) as exc:
            self._drops.add(step, exc, calls=1)
        else:
            if payload is not None and self._drops.pending:
                self._note_values(step)

    def _log_late(
        self, step: int, scalars: dict[str, Any], items: list[dict[str, Any]], late: list[str]
    ) -> None:
        """Log a call of which something is still on a device: it is appended when they are there."""
        moment = now()
        try:
            transfer = self._copies.start([scalars[name] for name in late]) if late else None
        except Exception as exc:  # noqa: BLE001  (the boundary: the rest of the call is logged all the same)
            self._refuse_late(scalars, late, exc)
            late, transfer = [], None
            if not any("late" in item for item in items):
                self._append(self._shard, step, scalars, items)
                return

        def append(shard: Any) -> None:
            try:
                if transfer is not None:
                    scalars.update(zip(late, transfer.wait(), strict=True))
            except Exception as exc:  # noqa: BLE001  (as above)
                self._refuse_late(scalars, late, exc)
            self._append(shard, step, scalars, self._arrived(items), lambda: moment)

        self._late.add(self._shard, append)

    def _arrived(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Wait for what of rich items is on its way from a device."""
        arrived = []
        for item in items:
            late = item.pop("late", dict)
            try:
                arrived.append({**item, **late()})
            except Exception as exc:  # noqa: BLE001  (as above)
                self._refuse(item["name"], f"{item['name']!r} was not logged: {describe(exc)}")
        return arrived

    def _refuse_late(self, scalars: dict[str, Any], late: list[str], error: Exception) -> None:
        for name in late:
            del scalars[name]
            self._refuse(name, f"{name!r} was not logged: {describe(error)}")

    def _note_values(self, step: int) -> None:
        """Note large values that were dropped, once one finds room again."""
        if not self._appending.stage.refused:
            with suppress(OSError):
                self._drops.note(self._appending, step)

    def _encoded(self, scalars: dict[str, float], items: list[dict[str, Any]]) -> bytes | None:
        """Return a rich record; None, with a warning for each name, when the items cannot be encoded."""
        try:
            return encode_rich(scalars, items)
        except Exception as exc:  # noqa: BLE001  (the boundary: the scalars are logged all the same)
            for item in items:
                self._refuse(item["name"], f"{item['name']!r} was not logged: {describe(exc)}")
            return None

    def _sort(self, values: Mapping[str, Any], step: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Split values into floats, or what is one on a device, and rich items, refusing the rest by name."""
        if not isinstance(values, Mapping):
            self._refuse("log", f"log() takes a dict of names and values, not {type(values).__name__}")
            return {}, []
        scalars: dict[str, Any] = {}
        items: list[dict[str, Any]] = []
        for key, value in values.items():
            name = "?"
            try:
                name = storable_text(str(key))
                if rich := rich_values(value):
                    items += self._items(name, value, rich, step)
                else:
                    scalars[name] = value if is_on_device(value) else to_float(value)
            except BoardClosedError:
                raise
            except Exception as exc:  # noqa: BLE001  (the boundary: one bad value must not cost the others)
                self._refuse(name, f"{name!r} of type {type_name(value)} was not logged: {_reason(exc)}")
        return scalars, items

    def _items(self, name: str, value: Any, rich: Sequence[Rich], step: int) -> Iterator[dict[str, Any]]:
        """Yield the items of the rich values under a name; of several, one that is bad costs the others nothing."""
        stage = self._shard.stage
        bad: list[tuple[int, Exception]] = []
        for index, one in enumerate(rich):
            try:
                yield from one.to_items(name, index, stage)
            except BoardClosedError:
                raise
            except StagingError as exc:
                self._drops.add(step, exc, values=one.n_values)
            except Exception as exc:  # noqa: BLE001  (as above)
                bad.append((index, exc))
        if not bad:
            return
        index, error = bad[0]
        what = f"{name!r} of type {type_name(value)} was"
        if isinstance(value, list | tuple):
            others = f" and {len(bad) - 1} more of {len(rich)} values were" if len(bad) > 1 else " was"
            what = f"{name!r}[{index}]{others}"
        self._refuse(name, f"{what} not logged: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, NotAScalarError | RichValueError) else describe(error)
