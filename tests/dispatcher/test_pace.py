"""How long we wait before we try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.dates import HOUR, MINUTE, SECOND
from services.dispatcher.backoff import BACK_OFF_SECONDS_MAX, RETRY_AFTER_SECONDS_MAX, back_off_seconds, clock_span
from services.dispatcher.channels.port import SendOutcome
from services.platform.time_source import Clock, ScaledClock, SystemClock
from tests.dispatcher.hand_clock import START, HandClock

FAILED = SendOutcome("failed")


@given(st.text(max_size=20), st.integers(1, 100_000))
def test_the_wait_doubles_up_to_five_minutes(delivery: str, attempt: int) -> None:
    """Less a share that is always the same for the same attempt."""
    pause = back_off_seconds(delivery, attempt, FAILED)
    whole = min(300.0, 2.0 ** min(attempt - 1, 20))
    assert 0.75 * whole <= pause <= whole
    assert pause == back_off_seconds(delivery, attempt, FAILED)


def test_what_failed_together_is_not_tried_again_together() -> None:
    """The share is another for each delivery and attempt."""
    assert len({back_off_seconds(f"D-{n}", 3, FAILED) for n in range(100)}) == 100


def test_what_is_rejected_waits_longer() -> None:
    """Somebody has to mend it first."""
    assert 45 <= back_off_seconds("D", 1, SendOutcome("rejected")) <= 60


@pytest.mark.parametrize(("asked", "waits"), [(0.0, 1.0), (30.0, 30.0), (3600.0, RETRY_AFTER_SECONDS_MAX)])
def test_a_receiver_that_asks_for_time_gets_it(asked: float, waits: float) -> None:
    """Up to a bound, and never less than our own back-off."""
    pause = back_off_seconds("D", 1, SendOutcome("throttled", None, asked))
    assert pause == waits or (asked == 0 and 0.75 <= pause <= 1)


@pytest.mark.parametrize(
    ("clock", "speed"),
    [(SystemClock(), 1), (ScaledClock(START, 1), 1), (ScaledClock(START, 20_000), 20_000), (HandClock(), 1)],
)
def test_patience_is_real_time(clock: Clock, speed: float) -> None:
    """A demonstration that plays a day in seconds does not hammer a receiver."""
    assert clock_span(clock, BACK_OFF_SECONDS_MAX) == pytest.approx(5 * MINUTE * speed, rel=0.01)


def test_a_clock_turned_in_between_does_no_harm() -> None:
    """The speed is then taken to be one."""

    class Turned(HandClock):
        def now(self) -> int:
            self.turn(48 * HOUR)
            return super().now()

        def seconds_until(self, instant: int) -> float:
            return max(0, instant - self.now()) / SECOND

    assert clock_span(Turned(), 2.0) == 2 * SECOND
