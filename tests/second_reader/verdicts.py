"""Verdicts on every case of one subject, and the board of a cohort (rules.md §2, §3.9, §3.10, 5)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from tests.second_reader.course import WEEK, death_of, fatal, row_course
from tests.second_reader.dates import FAR_AWAY, NO, TICK, UNKNOWN, YES, When, apart, certainly_before, instant_of
from tests.second_reader.laboratory import (
    SYNONYMS,
    analyte,
    courses,
    draw_in_window,
    drawn,
    hys_law,
    laboratory_clauses,
)
from tests.second_reader.record import Json, Record, Version
from tests.second_reader.toxicity import Toxicity, chains

STRENGTH: Final = {None: 0, "watch": 1, "possible": 2, "met": 3}
STOPPED: Final = ("discontinued:death", "discontinued:adverse-event")


class Case(NamedTuple):
    clauses: dict[str, str]
    overruled: bool
    counts: bool
    due: datetime | None
    is_ruled: bool

    @property
    def verdict(self) -> str | None:
        return max(self.clauses.values(), key=lambda word: STRENGTH[word], default=None)


class Reader:
    """All cases of one subject from its events, as known at ``as_of``."""

    def __init__(self, events: Sequence[Json], as_of: datetime) -> None:
        self.record = Record(events, as_of)
        self.as_of = as_of
        self.toxicities = {name: Toxicity(self.record, rows) for name, rows in chains(self.record).items()}

    def cases(self) -> dict[str, Case]:
        names = {f"ae:{name}" for name in self.toxicities}
        names |= {f"lab:{analyte(data)}" for data in self.record.labs} | {"lab:HY", *STOPPED}
        parts = {row.data["ae_id"] for one in self.toxicities.values() for row in one.rows} - set(self.toxicities)
        ruled = {self._name(ruling.data["case"]) for ruling in self.record.rulings}
        names |= ruled - {f"ae:{part}" for part in parts}
        found = {name: self.case(name) for name in sorted(names)}
        return {name: case for name, case in found.items() if case.verdict is not None or case.is_ruled}

    def case(self, name: str) -> Case:
        ruled = self._rulings(name)
        words, due = self.words(name)
        effective = [ruling for ruling in ruled if _is_effective(ruling)]
        last = effective[-1] if effective else None
        later = [ruling for ruling in ruled if last is None or _order(ruling) > _order(last)]
        claims = any(ruling.data["verdict"] == "dlt" for ruling in later)
        overruled = False
        if not self._is_on_record(name):
            asked = [ruling for ruling in ruled if ruling.data["verdict"] == "dlt"]
            stands = claims or (last is not None and last.data["verdict"] == "dlt")
            return Case({"DLT-5": "possible"} if asked and stands else {}, False, False, None, False)
        if last is not None and last.data["verdict"] == "dlt":
            words = {**words, "DLT-5": "met"}
        elif claims:
            words = {**words, "DLT-5": "possible"}
        elif last is not None:
            overruled = not self._lapsed(name, words, instant_of(last.data["decided"]))
        met = any(word == "met" for clause, word in words.items() if clause != "HY")
        counts = met and not overruled and self.record.population != "part-b"
        return Case(words, overruled, counts, due, last is not None)

    def _name(self, case: str) -> str:
        """The case that a ruling names: a row that continues another counts for the joined one."""
        kind, _, rest = case.partition(":")
        if kind == "lab":
            return f"lab:{SYNONYMS.get(rest, rest)}"
        return case

    def _rulings(self, name: str) -> list[Version]:
        """The rulings on a case, in order; a ``dlt`` on a part counts for the whole, a ``not-dlt`` does not."""
        found = []
        for ruling in self.record.rulings:
            case = self._name(ruling.data["case"])
            if case != name and ruling.data["verdict"] == "dlt" and name.startswith("ae:"):
                rows = self.toxicities[name[3:]].rows if name[3:] in self.toxicities else ()
                case = name if case[3:] in {row.data["ae_id"] for row in rows} and case.startswith("ae:") else case
            if case == name:
                found.append(ruling)
        return sorted(found, key=_order)

    def _is_on_record(self, name: str) -> bool:
        kind, _, rest = name.partition(":")
        if kind == "ae":
            return rest in self.record.aes
        if name == "lab:HY" or kind == "discontinued":
            return bool(self.words(name)[0])
        return any(analyte(data) == rest and data.get("status") != "not-done" for data in self.record.labs)

    def words(self, name: str) -> tuple[dict[str, str], datetime | None]:
        """The clauses' verdicts, and the instant at which time alone changes one of them."""
        now, last = self.truths(name, self.as_of), self.truths(name, FAR_AWAY)
        due: datetime | None = None
        words: dict[str, str] = {}
        for clause, truth in now.items():
            if truth != NO:
                words[clause] = "met" if truth == YES else "possible"
            elif last[clause] != NO:
                words[clause] = "watch"
            if last[clause] != truth:
                turn = self._turn(name, clause, truth)
                due = turn if due is None else min(due, turn)
        return words, due

    def _turn(self, name: str, clause: str, truth: int) -> datetime:
        """The first instant at which a clause is no longer what it is now, by halving."""
        same, other = self.as_of, self.as_of + timedelta(days=1000)
        while other - same > TICK:
            middle = same + (other - same) // 2
            if self.truths(name, middle)[clause] == truth:
                same = middle
            else:
                other = middle
        return other

    def truths(self, name: str, at: datetime) -> dict[str, int]:
        kind, _, rest = name.partition(":")
        if kind == "ae":
            if rest not in self.toxicities:
                return {}
            others = [toxicity for first, toxicity in self.toxicities.items() if first != rest]
            return self.toxicities[rest].clauses(at, others)
        if name == "lab:HY":
            return {"HY": hys_law(self.record)}
        if kind == "lab":
            has = any(analyte(data) == rest for data in self.record.labs)
            return laboratory_clauses(self.record, rest, list(self.toxicities.values()), at) if has else {}
        return {"DLT-1": self._stopped(rest)} if name in STOPPED else {}

    def _stopped(self, reason: str) -> int:
        """rules.md §3.10: treatment or study ended for a reason that no adverse event explains."""
        dates = [self.record.certain(stop["date"]) for stop in self.record.stops if stop["reason"] == reason]
        unexplained = [date for date in dates if not self._explained(reason, date)]
        return UNKNOWN if any(self.record.in_window(date, date) != NO for date in unexplained) else NO

    def _explained(self, reason: str, date: When) -> bool:
        rows = [(row.data, row_course(self.record, row).onset, self._of(row)) for row in self.record.aes.values()]
        before = [(data, toxicity) for data, onset, toxicity in rows if not certainly_before(date, onset)]
        if reason == "death":
            return any(fatal(data) for data, _ in before)
        return any(self._explains(data) and not self._may_be_over(toxicity, date) for data, toxicity in before)

    def _of(self, row: Version) -> Toxicity:
        return next(one for one in self.toxicities.values() if row in one.rows)

    @staticmethod
    def _explains(data: Json) -> bool:
        worst = max([data.get("grade") or 0, *(step["grade"] for step in data.get("grades") or ())])
        serious = bool(data.get("serious")) or bool(data.get("seriousness"))
        return serious or worst >= 3 or "withdrawn" in (data.get("action_taken") or {}).values() or fatal(data)

    def _may_be_over(self, toxicity: Toxicity, date: When) -> bool:
        """Whether the toxicity was, or may have been, over for more than seven days."""
        stop = toxicity.course.stop.at
        if stop is None:
            return False
        return apart(stop.lo, date.hi, self.record.zone, by_dates=stop.is_date or date.is_date) > WEEK

    def _lapsed(self, name: str, words: dict[str, str], decided: datetime) -> bool:
        """Whether an overrule no longer covers what is known now (rules.md §3.9)."""
        then = Reader(self.record.events, decided)
        before, _ = then.words(name)
        if any(STRENGTH[word] > STRENGTH[before.get(clause)] for clause, word in words.items()):
            return True
        worst_now, worst_then = self.worst(name), then.worst(name)
        if worst_now is not None and (worst_then is None or worst_now > worst_then):
            return True
        if name.startswith("lab:") and name != "lab:HY":
            runs = [run[0] for run, _ in courses(drawn(self.record, name[4:]))]
            return any(first.at.lo > decided and draw_in_window(self.record, first) != NO for first in runs)
        return False

    def worst(self, name: str) -> int | None:
        kind, _, rest = name.partition(":")
        if kind == "ae" and rest in self.toxicities:
            return self.toxicities[rest].worst()
        if kind == "lab" and rest != "HY":
            return max((one.low for one in drawn(self.record, rest) if one.low >= 3), default=None)
        return None


def _order(ruling: Version) -> tuple[datetime, datetime, str]:
    return instant_of(ruling.data["decided"]), ruling.time, ruling.data["adjudication_id"]


def _is_effective(ruling: Version) -> bool:
    sponsors = ruling.source.startswith("urn:sponsor:")
    parties = {one["party"] for one in ruling.data["signatures"]}
    if not sponsors:
        parties -= {"sponsor", "committee"}
    return "committee" in parties or {"investigator", "sponsor"} <= parties


def is_contradictory(rows: Sequence[Version], record: Record) -> bool:
    """Whether rows contradict each other or the rest: one begins before the one it continues, or after the last day."""
    courses = [row_course(record, row) for row in rows]
    in_order = all(
        one.stop.at is not None and one.stop.at.hi <= other.onset.lo and one.pieces[-1].start.lo < one.stop.at.lo
        for one, other in itertools.pairwise(courses)
    )
    listed = [[record.certain(step["from"]).lo for step in row.data.get("grades") or ()] for row in rows]
    if any(steps != sorted(steps) for steps in listed):
        return True
    if len({stop["date"] for stop in record.stops if stop["reason"] == "death"}) > 1:
        return True
    death, left = death_of(record), record.left_study()
    last = [death] if death is not None else []
    last += [record.certain(left["date"])] if left is not None else []
    if any(certainly_before(one, piece.start) for one in last for course in courses for piece in course.pieces):
        return True
    graded = all(piece.grade is not None for course in courses for piece in course.pieces)
    return len(rows) > 1 and not (in_order and graded and not any(fatal(row.data) for row in rows))


def judged(events: Sequence[Json], as_of: datetime) -> dict[tuple[str, str], dict[str, Any]]:
    """Every case of every subject in the form that is compared."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for subject in sorted({event["subject"] for event in events if event.get("subject")}):
        reader = Reader([event for event in events if event.get("subject") == subject], as_of)
        for name, case in reader.cases().items():
            found[subject, name] = {
                "verdict": case.verdict,
                "clauses": case.clauses,
                "overruled": case.overruled,
                "counts_as_dlt": case.counts,
                "population": reader.record.population,
                "due": case.due,
            }
    return found
