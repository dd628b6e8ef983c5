"""How long we wait for receivers: in real seconds, whatever the speed of the clock.

A demonstration plays months in minutes; the mail server in it answers no faster for that. So back-off and the patience
with a delivery are real time. What the protocol counts in hours (the wait of a ``routine`` alert) is the clock's.
"""

from __future__ import annotations

from typing import Final

from events.dates import DAY, SECOND
from events.identity import derived_id
from services.dispatcher.channels.port import SendOutcome
from services.platform.time_source import Clock

BACK_OFF_FIRST_SECONDS: Final = 1.0
BACK_OFF_SECONDS_MAX: Final = 300.0
#: What a receiver rejects is mended by people, who take their time.
REJECTED_FIRST_SECONDS: Final = 60.0
#: However long a receiver asks us to wait: an alert may be urgent, and a receiver wrong.
RETRY_AFTER_SECONDS_MAX: Final = 900.0

_DOUBLINGS_MAX: Final = 16
_PROBE: Final = DAY


def back_off_seconds(delivery_id: str, attempt: int, outcome: SendOutcome | None) -> float:
    """Real seconds until the next attempt, after that many. ``outcome`` None: it is not known yet.

    Doubled each time and then shortened by up to a quarter, by a share that is derived from delivery and attempt: what failed
    together is not tried again together, and a test knows when.
    """
    first = REJECTED_FIRST_SECONDS if outcome is not None and outcome.kind == "rejected" else BACK_OFF_FIRST_SECONDS
    doubled = min(BACK_OFF_SECONDS_MAX, first * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
    share = int(derived_id(delivery_id, str(attempt))[:8], 16) / 0xFFFF_FFFF
    pause = doubled * (1 - share / 4)
    if outcome is not None and outcome.retry_after_seconds is not None:
        return max(pause, min(outcome.retry_after_seconds, RETRY_AFTER_SECONDS_MAX))
    return pause


def clock_span(clock: Clock, seconds: float) -> int:
    """How far the clock moves in so many real seconds, in microseconds."""
    real = clock.seconds_until(clock.now() + _PROBE)
    # A clock that is turned by hand may have been turned in between.
    speed = _PROBE / SECOND / real if real > 0 else 1.0
    return round(seconds * speed * SECOND)
