"""What `kobo` prints with `--json`: the fields that docs/cli.md lists.

JSON cannot write a number that is not finite, so these are the strings "NaN", "Infinity" and "-Infinity": null would
make a diverged loss look like a missing one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kohakuboard.reader import Attempt, Metric, Run

__all__ = ["details", "outline", "print_json"]


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: object) -> object:
    """Turn any logged value into one that JSON has, and numbers that are not finite into their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)


def outline(run: Run) -> dict[str, object]:
    """Return the fields of a run in a list."""
    return {
        "id": run.id,
        "project": run.project,
        "name": run.name,
        "group": run.group,
        "path": str(run.path),
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "duration_s": run.duration_s,
        "last_step": run.last_step,
        "tags": run.tags,
        "summary": run.summary,
    }


def details(run: Run) -> dict[str, object]:
    """Return all that is known of a run but its points."""
    return {
        **outline(run),
        "error": run.error,
        "problems": run.problems,
        "notes": run.notes,
        "config": run.config,
        "environment": run.environment,
        "forked_from": run.forked_from,
        "attempts": [_attempt_fields(attempt) for attempt in run.attempts],
        "rich": run.rich_names(),
        "metrics": [_metric_fields(metric) for metric in run.metrics.values()],
        "system_metrics": [_metric_fields(metric) for metric in run.system_metrics().values()],
    }


def _attempt_fields(attempt: Attempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "rank": attempt.rank,
        "at_step": attempt.at_step,
        "status": attempt.status,
        "error": attempt.error,
        "started": attempt.started,
        "ended": attempt.ended,
        "host": attempt.host,
        "pid": attempt.pid,
    }


def _metric_fields(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "count": metric.count,
        "nonfinite": metric.nonfinite,
        "last": metric.last,
        "last_step": metric.last_step,
        "last_time": datetime.fromtimestamp(metric.last_time_us / 1e6, tz=timezone.utc),
        "min": metric.min,
        "min_step": metric.min_step,
        "max": metric.max,
        "max_step": metric.max_step,
        "mean": metric.mean,
    }
