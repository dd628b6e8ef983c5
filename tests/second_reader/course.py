"""The grade of a toxicity over time (rules.md §3.4), and how long it lasted (3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tests.second_reader.dates import (
    LONG_AGO,
    NO,
    TICK,
    UNKNOWN,
    WEEK,
    YES,
    When,
    apart,
    between,
    certainly_before,
    exactly,
    midnight,
)
from tests.second_reader.record import Json, Record, Version

LIVES: Final = ("recovered", "recovering", "recovered-with-sequelae", "not-recovered")


class Piece(NamedTuple):
    """From ``start`` on the grade is ``grade``; None: it is not on record."""

    start: When
    grade: int | None


class Stop(NamedTuple):
    """When something ended. ``at`` None: it goes on, for certain up to ``certain``, or as far as anybody asks."""

    at: When | None
    certain: When | None = None


class Unplaced(NamedTuple):
    """A grade above every step, somewhere in ``during``."""

    grade: int
    during: When


class Course(NamedTuple):
    onset: When
    pieces: list[Piece]
    stop: Stop
    unplaced: list[Unplaced]
    #: Grade 5 a second time, where the record says it of the whole and of the end.
    died: list[When]
    #: When the subject died of something else: nothing lasts longer.
    death: When | None = None


class Stretch(NamedTuple):
    """A stretch at a qualifying grade. ``sure``: whether the grade is known to qualify."""

    start: When
    stop: Stop
    sure: int = YES
    #: Death has no duration.
    is_death: bool = False


def row_course(record: Record, row: Version) -> Course:
    """One row by itself, before death or the end of the study cut it short."""
    data, recorded = row.data, row.time
    onset, end = record.when(data.get("onset")), record.when(data.get("end"))
    listed = [Piece(record.certain(step["from"]), step["grade"]) for step in data.get("grades") or ()]
    # Of two with one date the later in the list holds.
    steps = [
        one for number, one in enumerate(listed) if one.start not in [later.start for later in listed[number + 1 :]]
    ]
    grade = data.get("grade")
    pieces = _pieces(steps, grade, onset, record.anywhere_up_to(end, recorded))
    begins = onset if onset is not None else _undated_onset(record, steps, end, recorded)
    last = pieces[-1].start.lo
    after_last = between(last, recorded)
    is_fatal = fatal(data)
    died: list[When] = []
    if is_fatal and not any(piece.grade == 5 for piece in steps):
        at = end if end is not None else after_last
        if not steps and grade == 5:
            died = [at]
        else:
            pieces = [*pieces, Piece(at, 5)]
    unplaced: list[Unplaced] = []
    if listed and grade is not None and grade < 5 and grade > max(step.grade or 0 for step in listed):
        latest = end if end is not None else exactly(recorded)
        unplaced = [Unplaced(grade, between(begins.lo, latest.hi, is_date=begins.is_date or latest.is_date))]
    over = data.get("ongoing") is False or (
        data.get("ongoing") is None and data.get("outcome") in ("recovered", "recovered-with-sequelae")
    )
    if end is not None:
        stop = Stop(end)
    elif over or is_fatal:
        stop = Stop(after_last)
    else:
        stop = Stop(None)
    return Course(begins, pieces, stop, unplaced, died)


def _pieces(steps: list[Piece], grade: int | None, onset: When | None, undated: When) -> list[Piece]:
    if not steps:
        return [Piece(onset if onset is not None else undated, grade)]
    first = steps[0]
    if onset is not None and certainly_before(onset, first.start):
        start = between(onset.lo, _end(first.start), is_date=onset.is_date or first.start.is_date)
        first = Piece(start, first.grade)
    return [first, *steps[1:]]


def _undated_onset(record: Record, steps: list[Piece], end: When | None, recorded: datetime) -> When:
    if steps:
        return When(LONG_AGO, _end(steps[0].start), is_date=steps[0].start.is_date)
    return record.anywhere_up_to(end, recorded)


def fatal(data: Json) -> bool:
    """Whether the row is a death, grade 5 included."""
    steps = [step["grade"] for step in data.get("grades") or ()]
    return (
        data.get("outcome") == "fatal"
        or "death" in (data.get("seriousness") or ())
        or data.get("grade") == 5
        or 5 in steps
    )


def says_dead(data: Json) -> bool:
    """The same, as far as it cuts other rows short: it does not where the outcome says that the subject lives."""
    return fatal(data) and data.get("outcome") not in LIVES


def death_of(record: Record) -> When | None:
    """When the subject died: the end of the fatal event, else its grade 5 step, else the date of discontinuation."""
    rows = [row for row in record.aes.values() if says_dead(row.data)]
    dated = [at for row in rows if (at := _dated_death(record, row)) is not None]
    stopped = [record.certain(stop["date"]) for stop in record.stops if stop["reason"] == "death"]
    undated = [_fives(row_course(record, row))[0] for row in rows]
    return min(dated or stopped or undated, key=lambda one: one.lo, default=None)


def _dated_death(record: Record, row: Version) -> When | None:
    steps = [record.certain(step["from"]) for step in row.data.get("grades") or () if step["grade"] == 5]
    return record.when(row.data.get("end")) or (steps[0] if steps else None)


def _fives(course: Course) -> list[When]:
    return [piece.start for piece in course.pieces if piece.grade == 5] + course.died


def joined(record: Record, rows: Sequence[Version], *, is_deadly: bool) -> Course:
    """Rows of one toxicity, in order, cut short by death and by the end of the study."""
    courses = [row_course(record, row) for row in rows]
    stop = _last_stop(courses)
    # Rows may be entered in another order than the one in which they happened.
    courses.sort(key=lambda course: course.onset.lo)
    pieces = sorted((piece for course in courses for piece in course.pieces), key=lambda piece: piece.start.lo)
    death = None if is_deadly else death_of(record)
    left = record.left_study()
    if stop.at is None and left is not None:
        contact = record.certain(left.get("last_contact") or left["date"])
        stop = Stop(None, contact)
    if death is not None:
        stop = _cut(stop, death)
    unplaced = [one for course in courses for one in course.unplaced]
    died = [at for course in courses for at in course.died]
    return Course(courses[0].onset, pieces, stop, unplaced, died, death)


def _last_stop(courses: Sequence[Course]) -> Stop:
    """The last row says when it was over, unless it had ended before an earlier row's last step."""
    last = courses[-1]
    latest = max(courses, key=lambda course: course.pieces[-1].start.lo)
    ended_before = last.stop.at is not None and certainly_before(last.stop.at, latest.pieces[-1].start)
    return latest.stop if ended_before else last.stop


def _cut(stop: Stop, death: When) -> Stop:
    if stop.at is None:
        if stop.certain is None or stop.certain.lo >= death.lo:
            return Stop(death)
        return Stop(between(stop.certain.lo, death.hi, is_date=stop.certain.is_date or death.is_date))
    if certainly_before(stop.at, death) or stop.at == death:
        return stop
    if certainly_before(death, stop.at):
        return Stop(death)
    earliest, latest = min(stop.at.lo, death.lo), min(stop.at.hi, death.hi)
    return Stop(between(earliest, latest, is_date=stop.at.is_date or death.is_date))


def _end(one: When) -> datetime:
    return one.hi + TICK if one.exact else one.hi


def stretches(course: Course, threshold: int, below: int = 6) -> list[Stretch]:
    """Every start of the threshold, and every further rise, with the end of the stretch at ``threshold`` or more."""
    found: list[Stretch] = []
    before = 0
    for number, piece in enumerate(course.pieces):
        if piece.grade is None:
            found.append(Stretch(piece.start, _stop(course, number, threshold, below), UNKNOWN))
            continue
        if piece.grade >= threshold and piece.grade > before:
            stop = _stop(course, number, threshold, below)
            found.append(Stretch(piece.start, stop, is_death=piece.grade == 5))
        before = piece.grade
    return found


def _stop(course: Course, number: int, threshold: int, below: int) -> Stop:
    for later in course.pieces[number:]:
        if later.grade is not None and not threshold <= later.grade < below:
            own = [piece.start for piece in course.pieces if piece.grade == 5]
            death = course.death or (own[0] if own else None)
            return Stop(later.start) if death is None else _cut(Stop(later.start), death)
    return course.stop


def lasting(stretch: Stretch, record: Record, at: datetime) -> int:
    """Whether one stretch lasted more than 7 days, as it looks at an instant (rules.md §3.5)."""
    start, zone = stretch.start, record.zone
    if stretch.stop.at is not None:
        return _closed(start, stretch.stop.at, record)
    shortest = apart(start.hi, at, zone, by_dates=start.is_date) >= WEEK
    longest = apart(start.lo, at, zone, by_dates=start.is_date) >= WEEK
    if stretch.stop.certain is not None:
        certain = _closed(start, stretch.stop.certain, record)
        return YES if certain == YES and shortest else UNKNOWN if longest else NO
    return YES if shortest else UNKNOWN if longest else NO


def _closed(start: When, stop: When, record: Record) -> int:
    by_dates = start.is_date or stop.is_date
    shortest = apart(start.hi, stop.lo, record.zone, by_dates=by_dates)
    longest = apart(start.lo, stop.hi, record.zone, by_dates=by_dates)
    if shortest > WEEK or (shortest == WEEK and not start.exact):
        return YES
    return NO if longest <= WEEK else UNKNOWN


def longest_sum(course: Course, record: Record, at: datetime, *, since: datetime | None) -> tuple[timedelta, bool]:
    """The longest time that the toxicity may have been at grade 3 or 4, and whether it goes on.

    From ``since`` on, where given; an unplaced grade may fill everything between onset and end.
    """
    total, goes_on = timedelta(), False
    number = 0
    spans: list[tuple[When, Stop]] = []
    while number < len(course.pieces):
        piece = course.pieces[number]
        if piece.grade is None or 3 <= piece.grade < 5:
            spans.append((piece.start, _stop(course, number, 3, 5)))
            while number < len(course.pieces) and (
                course.pieces[number].grade is None or 3 <= (course.pieces[number].grade or 0) < 5
            ):
                number += 1
        else:
            number += 1
    if any(3 <= one.grade < 5 for one in course.unplaced):
        last = course.pieces[-1].grade
        goes_on_high = course.stop.at is None and last is not None and 3 <= last < 5
        spans = [(course.onset, course.stop if course.stop.at or goes_on_high else Stop(course.unplaced[0].during))]
    for start, stop in spans:
        ends = stop.at.hi if stop.at is not None else at
        goes_on = goes_on or stop.at is None
        by_dates = start.is_date or (stop.at is not None and stop.at.is_date)
        begins = start.lo if since is None or start.lo >= since else since
        total += max(timedelta(), apart(begins, ends, record.zone, by_dates=by_dates))
    return total, goes_on


def day_one(record: Record) -> datetime | None:
    days = record.first_days()
    return midnight(days[0], record.zone) if days else None
