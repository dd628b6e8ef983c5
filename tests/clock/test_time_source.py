"""The machine's clock is followed with care: small corrections are believed, a leap is not, and time never goes back."""

from __future__ import annotations

import pytest

from events.dates import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from services.platform.time_source import LEAP_BELIEVED_MAX, ScaledClock, SystemClock

START = parse_instant("2026-03-01T12:00:00Z")


class Machine:
    """A machine whose clock can be set, and on which time passes by hand."""

    def __init__(self) -> None:
        self.wall: Instant = START
        self.elapsed = 5 * DAY
        self.clock = SystemClock(lambda: self.wall, lambda: self.elapsed)

    def passes(self, micros: int) -> None:
        self.wall += micros
        self.elapsed += micros


def test_time_passes() -> None:
    machine = Machine()
    machine.passes(90 * MINUTE)
    assert machine.clock.now() == START + 90 * MINUTE
    assert machine.clock.leap() == 0


@pytest.mark.parametrize("by", [SECOND, MINUTE, LEAP_BELIEVED_MAX])
def test_a_correction_forward_is_followed(by: int) -> None:
    machine = Machine()
    machine.wall += by
    assert machine.clock.now() == START + by
    assert machine.clock.leap() == 0


def test_a_correction_backward_does_not_turn_time_back() -> None:
    """The clock stands until the machine's has caught up: nothing is received before what was received earlier."""
    machine = Machine()
    machine.passes(HOUR)
    assert machine.clock.now() == START + HOUR
    machine.wall -= 10 * MINUTE
    assert machine.clock.now() == START + HOUR
    machine.passes(4 * MINUTE)
    assert machine.clock.now() == START + HOUR
    machine.passes(7 * MINUTE)
    assert machine.clock.now() == START + HOUR + MINUTE


@pytest.mark.parametrize("by", [14 * 365 * DAY, LEAP_BELIEVED_MAX + 1, -2 * HOUR])
def test_a_leap_is_not_believed_and_time_goes_on_as_it_should(by: int) -> None:
    """Were it 2040 for one minute, every countdown would have ended for ever."""
    machine = Machine()
    machine.clock.now()
    machine.wall += by
    machine.passes(3 * MINUTE)
    assert machine.clock.now() == START + 3 * MINUTE
    assert machine.clock.leap() == pytest.approx(by / SECOND)
    machine.passes(MINUTE)
    assert machine.clock.now() == START + 4 * MINUTE


def test_a_leap_is_over_when_the_clock_is_set_right_or_the_process_restarted() -> None:
    machine = Machine()
    machine.wall += 30 * DAY
    assert machine.clock.leap() > 0
    restarted = SystemClock(lambda: machine.wall, lambda: machine.elapsed)
    assert restarted.leap() == 0
    assert restarted.now() == START + 30 * DAY
    machine.wall -= 30 * DAY
    machine.passes(SECOND)
    assert machine.clock.leap() == 0
    assert machine.clock.now() == START + SECOND


def test_a_machine_that_slept_has_not_leapt() -> None:
    """Time since the start counts what was slept through."""
    machine = Machine()
    machine.passes(20 * DAY)
    assert machine.clock.leap() == 0
    assert machine.clock.now() == START + 20 * DAY


def test_seconds_until() -> None:
    machine = Machine()
    assert machine.clock.seconds_until(START + MINUTE) == 60
    assert machine.clock.seconds_until(START - MINUTE) == 0


def test_a_scaled_clock_runs_faster_and_says_so() -> None:
    """A day of the story is a few real seconds."""
    clock = ScaledClock(START, 86_400)
    first = clock.now()
    assert START <= first < START + 10 * DAY
    assert clock.seconds_until(first + 1000 * DAY) == pytest.approx(1000, abs=10)
    assert clock.now() >= first


def test_leaps_are_limited_in_sum() -> None:
    """48 jumps of 59 minutes are two days: the first is a correction, and what is beyond the limit is not followed."""
    machine = Machine()
    for _ in range(48):
        machine.wall += 59 * MINUTE
        machine.passes(MINUTE)
        machine.clock.now()
    assert machine.clock.now() <= START + 48 * MINUTE + LEAP_BELIEVED_MAX
    assert machine.clock.doubt() is not None
    assert machine.clock.leap() == pytest.approx(48 * 59 * 60, abs=60)


def test_there_and_back_is_no_leap() -> None:
    """The sum is what counts: corrections that cancel out leave the clock where it was."""
    machine = Machine()
    for _ in range(48):
        machine.wall += 59 * MINUTE
        machine.passes(MINUTE)
        machine.clock.now()
        machine.wall -= 59 * MINUTE
        machine.passes(MINUTE)
        machine.clock.now()
    assert machine.clock.doubt() is None
    assert machine.clock.leap() == 0


def test_a_clock_that_is_only_slewed_is_never_doubted() -> None:
    """NTP slews by at most 43 s a day, for years."""
    machine = Machine()
    for _ in range(3 * 365):
        machine.passes(DAY)
        machine.wall += 43 * SECOND
        assert machine.clock.doubt() is None
        assert machine.clock.now() == machine.wall


def test_a_leap_that_is_confirmed_is_the_time() -> None:
    machine = Machine()
    machine.wall += 5 * HOUR
    assert "18000 s" in (machine.clock.doubt() or "")
    machine.clock.confirm()
    assert machine.clock.doubt() is None
    assert machine.clock.now() == START + 5 * HOUR


def test_a_distrusted_clock_goes_on_by_what_has_elapsed() -> None:
    machine = Machine()
    machine.wall += 14 * 365 * DAY
    machine.clock.distrust("nobody knows", START - HOUR)
    machine.passes(MINUTE)
    assert machine.clock.now() == START - HOUR + MINUTE
    assert machine.clock.doubt() == "nobody knows"
