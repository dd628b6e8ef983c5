"""A simulated trial, sent to a gateway as its sites would: each event when its time has come, each site with its own key."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

import httpx2

from events.codec import LINE_BYTES_MAX
from events.dates import Instant, parse_instant
from services.files.publish import MEDIA_TYPE, PATH
from services.http.outgoing import client_options
from services.platform.time_source import Clock
from services.simulator.trial import SimulatedTrial

SPONSOR: Final = "sponsor"
#: How long the player sleeps at most before it looks at the clock again (real seconds).
SLEEP_SECONDS_MAX: Final = 0.2
SENT_AT_ONCE_MAX: Final = 200


class ScheduledEvent(NamedTuple):
    """One event as it is sent: by whom, and when it arrives."""

    at: Instant
    sender: str
    line: bytes


def arrivals(trial: SimulatedTrial) -> list[ScheduledEvent]:
    """Every event of the trial, in the order in which it arrives."""
    found: list[ScheduledEvent] = []
    latest: Instant = 0
    for stamped, line in zip(trial.lines(received=True), trial.lines(received=False), strict=True):
        at, sender = _said_by(stamped)
        # What cannot be read arrives with what came before it.
        latest = max(latest, at or latest)
        found.append(ScheduledEvent(latest, sender, line.rstrip()))
    return found


def _said_by(line: bytes) -> tuple[Instant | None, str]:
    try:
        event = json.loads(line[:LINE_BYTES_MAX])
        at = parse_instant(event.get("receivedtime") or event["time"])
        source = str(event["source"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""
    return at, SPONSOR if ":sponsor:" in source else str(event.get("site", ""))


class Player:
    """Sends what has arrived, in order. ``results`` counts what the gateway said."""

    def __init__(self, url: str, keys: Mapping[str, str], clock: Clock) -> None:
        self._url = url
        self._keys = keys
        self._clock = clock
        self._anybody = next(iter(keys))
        self.results: Counter[str] = Counter()

    async def play(self, events: list[ScheduledEvent]) -> None:
        """Send every event when its time has come; ends with the last."""
        async with httpx2.AsyncClient(base_url=self._url, timeout=60.0, **client_options(None)) as client:
            sent = 0
            while sent < len(events):
                now = self._clock.now()
                ready: list[ScheduledEvent] = []
                while sent + len(ready) < len(events) and events[sent + len(ready)].at <= now:
                    ready.append(events[sent + len(ready)])
                    if len(ready) == SENT_AT_ONCE_MAX:
                        break
                for sender, lines in _by_sender(ready):
                    await self._send(client, sender, lines)
                sent += len(ready)
                if not ready:
                    wait = self._clock.seconds_until(events[sent].at)
                    await asyncio.sleep(min(SLEEP_SECONDS_MAX, wait))

    async def _send(self, client: httpx2.AsyncClient, sender: str, lines: list[bytes]) -> None:
        key = self._keys.get(sender, self._keys[self._anybody])
        headers = {"Authorization": f"Bearer {key}", "Content-Type": MEDIA_TYPE}
        response = await client.post(PATH, content=b"\n".join(lines), headers=headers)
        for result in response.json().get("results", ()):
            self.results[result["status"]] += 1


def _by_sender(events: list[ScheduledEvent]) -> Iterator[tuple[str, list[bytes]]]:
    """Those in a row from one sender, as one request."""
    for sender, group in groupby(events, key=lambda event: event.sender):
        yield sender, [event.line for event in group]
