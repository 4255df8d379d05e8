"""Send alerts to a webhook: from the writer, on a thread of its own, so that no server can keep a run waiting.

An alert is stored first, as `waiting`, then sent, then noted as `sent` or `failed`. A writer that is killed in between
leaves it waiting, and the next one sends it: it comes at least once, and twice only after such a kill. Each is tried
TRIES times; after one that failed, the next get one try until one succeeds. No more than MOST_WAITING wait. At the end
of the run, when all is stored and the run's lock is free, what is on its way has GRACE_S more.

What does not go out is one line in `run.problems`, in which the address is not.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from ..journal.process import host_name
from ..journal.webhook import Webhook
from ..storage.alerts import FAILED, SENT, StoredAlert

if TYPE_CHECKING:
    from ..storage.catalogue import Catalogue

__all__ = ["AlertDesk", "message"]

log = logging.getLogger("kohakuboard.writer")

TIMEOUT_S: Final = 10.0
TRIES: Final = 3
PAUSES_S: Final = (1.0, 4.0)
LONGEST_PAUSE_S: Final = 30.0
GRACE_S: Final = 3.0
MOST_WAITING: Final = 100
# What a crash left waiting for longer is no news any more.
STALE_S: Final = 3600.0

SIGNS: Final = {
    "info": "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}",
    "warning": "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    "error": "\N{CROSS MARK}",
}
# Slack cuts at 40 000 characters and advises 4 000; Discord refuses more than 2 000.
SLACK_LONGEST: Final = 4000
DISCORD_LONGEST: Final = 2000


def message(webhook: Webhook, alert: StoredAlert, run: Mapping[str, Any]) -> bytes:
    """Return the body of a request in the form that the webhook's server takes; `run` is the row of the run."""
    place = f"{run['project']}/{run['run_id']}"
    sign = SIGNS.get(alert.level, "")
    text = f"{sign} {alert.title} ({run['name']}, step {alert.step})\n{alert.text}\n{place}"
    body: dict[str, Any]
    if webhook.kind == "slack":
        # The three that Slack wants escaped: a text must not mention everybody.
        for sign, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, escape)
        body = {"text": _cut(text, SLACK_LONGEST)}
    elif webhook.kind == "discord":
        body = {"content": _cut(text, DISCORD_LONGEST), "allowed_mentions": {"parse": []}}
    else:
        moment = datetime.fromtimestamp(alert.time_us / 1e6, tz=timezone.utc)
        body = {
            "title": alert.title,
            "text": alert.text,
            "level": alert.level,
            "step": alert.step,
            "time": moment.isoformat(),
            "run": {"id": run["run_id"], "name": run["name"], "project": run["project"]},
        }
    return json.dumps(body).encode()


class AlertDesk:
    """Send what waits in a run's catalogue, and note what became of it."""

    def __init__(self, run: Path, webhook: Webhook | None) -> None:
        self._run = run
        self._webhook = webhook
        self._courier: _Courier | None = None
        self._failure = ""

    @property
    def sends(self) -> bool:
        """Tell whether there is anywhere to send alerts to."""
        return self._webhook is not None

    def dispatch(self, catalogue: Catalogue) -> None:
        """Note what has come of those sent, and send those that wait."""
        if self._webhook is None:
            return
        if self._courier is not None and self._courier.results:
            self._note(catalogue)
        waiting = catalogue.alerts.waiting(MOST_WAITING + 1)
        if not waiting:
            return
        self._courier = self._courier or _Courier(self._webhook)
        waiting = self._fit_to_send(catalogue, waiting)
        if waiting:
            run = catalogue.run()
            self._courier.offer((one.id, message(self._webhook, one, run)) for one in waiting)

    def close(self) -> None:
        """Wait a little for what is on its way, and note what became of it in a catalogue that is closed by now."""
        if self._courier is None:
            return
        self._courier.stop(GRACE_S)
        if not self._courier.results:
            return
        from ..storage.catalogue import Catalogue
        from ..storage.claim import known_catalogue_path

        path = known_catalogue_path(self._run, host_name())
        if not path.exists():
            return
        try:
            catalogue = Catalogue(path)
            self._note(catalogue)
            catalogue.close(single_file=catalogue.run()["status"] != "running")
        except (OSError, sqlite3.Error) as exc:
            log.warning("what became of alerts could not be noted: %s", exc)

    def _fit_to_send(self, catalogue: Catalogue, waiting: list[StoredAlert]) -> list[StoredAlert]:
        """Give up those that are too old, and those for which there is no room; return the others."""
        assert self._courier is not None
        oldest_us = (time.time() - STALE_S) * 1e6
        known = self._courier.known
        fit = [alert for alert in waiting if alert.time_us >= oldest_us or alert.id in known]
        crowded = len(waiting) > MOST_WAITING
        if len(fit) == len(waiting) and not crowded:
            return fit
        self._failure = (
            f"more than {MOST_WAITING} waited at once" if crowded else "they had waited for an hour"
        )
        with catalogue.transaction():
            catalogue.alerts.settle((alert.id for alert in waiting if alert not in fit), FAILED)
            if crowded:
                catalogue.alerts.give_up_beyond(waiting[MOST_WAITING - 1].id)
            self._complain(catalogue)
        return fit[:MOST_WAITING]

    def _note(self, catalogue: Catalogue) -> None:
        assert self._courier is not None
        results = dict(self._courier.results)
        with catalogue.transaction():
            for number, failure in results.items():
                catalogue.alerts.settle([number], FAILED if failure else SENT)
                self._failure = self._failure or failure
            if self._failure:
                self._complain(catalogue)
        self._courier.forget(results)

    def _complain(self, catalogue: Catalogue) -> None:
        assert self._webhook is not None
        text = f"alerts could not be sent to the webhook at {self._webhook.host}: {self._failure}"
        catalogue.alerts.complain(text)


class _Courier:
    """Send messages in the order in which they are offered. `results` are the reasons of failures, "" for none."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._queue: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._over = threading.Event()
        self._healthy = True
        self._asked_pause_s = 0.0
        self._opener = urllib.request.build_opener(_NoRedirects)
        self.known: set[int] = set()
        self.results: dict[int, str] = {}
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def offer(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Take in those that were not offered before."""
        for number, body in messages:
            if number not in self.known:
                self.known.add(number)
                self._queue.put((number, body))

    def forget(self, numbers: Iterable[int]) -> None:
        """Let go of results that are noted."""
        for number in numbers:
            del self.results[number]
            self.known.discard(number)

    def stop(self, grace_s: float) -> None:
        """Send what was offered, for no longer than this; the rest has failed."""
        self._over.set()
        self._queue.put(None)
        self._thread.join(grace_s)
        for number in self.known - self.results.keys():
            self.results[number] = "the run ended before it answered"

    def _work(self) -> None:
        while (offered := self._queue.get()) is not None:
            number, body = offered
            failure = self._deliver(body)
            self._healthy = not failure
            self.results[number] = failure

    def _deliver(self, body: bytes) -> str:
        """Try to send one message; return why that failed, "" when it did not."""
        failure = ""
        for attempt in range(TRIES if self._healthy else 1):
            if attempt and self._over.wait(self._pause_s(attempt)):
                return failure
            self._asked_pause_s = 0.0
            failure, passing = self._post(body)
            if not (failure and passing):
                break
        return failure

    def _pause_s(self, attempt: int) -> float:
        return max(PAUSES_S[attempt - 1], min(self._asked_pause_s, LONGEST_PAUSE_S))

    def _post(self, body: bytes) -> tuple[str, bool]:
        """Send a message; return why that failed, and whether another try may help."""
        headers = {"Content-Type": "application/json", "User-Agent": "kohakuboard"}
        request = urllib.request.Request(self._webhook.url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S):
                return "", False
        except urllib.error.HTTPError as exc:
            with exc:
                self._asked_pause_s = _seconds(exc.headers.get("Retry-After"))
                return f"it answered {exc.code}", exc.code in (408, 429) or exc.code >= 500
        except urllib.error.URLError as exc:
            return _reason(exc.reason), True
        except OSError as exc:
            return _reason(exc), True
        except (HTTPException, ValueError) as exc:  # their words may hold the address
            return type(exc).__name__, False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Take a redirect for a failure: followed, it would become a GET without the message, to wherever it likes."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    text = error.strerror if isinstance(error, OSError) else None
    return text or type(error).__name__


def _seconds(text: str | None) -> float:
    try:
        return max(float(text or 0), 0.0)
    except ValueError:
        return 0.0


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
