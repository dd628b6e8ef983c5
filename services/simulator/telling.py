"""The words a story is told in: what happened, when somebody wrote it down, and what a watcher must then say.

A moment is written ``"D10 09:00"``, study day and site-local clock; ``"D10"`` alone is the bare date. Events and
expectations stand in the order of time, so that a story reads like one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from services.simulator.envelope import SubjectLog, utc
from services.simulator.laboratory import Wish
from services.simulator.schedule import Calendar

Axis = Literal["recorded", "received"]

RELATED: Final[Mapping[str, object]] = {"investigator": {"pexa-vec": "possible", "ipilimumab": "possible"}}
UNRELATED: Final[Mapping[str, object]] = {"investigator": {"pexa-vec": "unrelated", "ipilimumab": "unlikely"}}
NEVER: Final = 10_000


@dataclass(frozen=True)
class Check:
    """One case that must stand at one instant, exactly so."""

    as_of: datetime
    axis: Axis
    subject: str
    case: str
    verdict: str
    clauses: Mapping[str, str]
    counts_as_dlt: bool
    overruled: bool = False
    due: str | None = None
    laboratory: bool = False


@dataclass(frozen=True)
class Silence:
    """An instant at which the subject must have no case at all."""

    as_of: datetime
    axis: Axis
    subject: str


@dataclass
class Telling:
    """One subject's story being told."""

    calendar: Calendar
    log: SubjectLog
    checks: list[Check] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    wishes: dict[tuple[int, str], Wish] = field(default_factory=dict)
    treatment_ends: int = NEVER

    def moment(self, when: str) -> datetime:
        day, _, clock = when.partition(" ")
        return self.calendar.at(int(day.removeprefix("D")), clock)

    def on(self, when: str) -> str:
        """A clinical date: timed with its offset where a clock is given, else the bare day."""
        if " " in when:
            return self.moment(when).isoformat()
        return self.calendar.day(int(when.removeprefix("D"))).isoformat()

    def elapsed(self, when: str, hours: int) -> str:
        """The instant so many elapsed hours later, as a `due` is written."""
        return utc(self.moment(when).astimezone(UTC) + timedelta(hours=hours))

    def steps(self, *steps: tuple[int, str]) -> list[dict[str, object]]:
        return [{"grade": grade, "from": self.on(when)} for grade, when in steps]

    def ae(self, when: str, ae_id: str, revision: int, toxicity: Mapping[str, object], /, **more: object) -> None:
        """One revision of an adverse event, recorded at ``when``."""
        self.log.write("ae.reported", ae_id, revision, self.moment(when), {**toxicity, **more})

    def ae_arriving(
        self, when: str, arrives: str, ae_id: str, revision: int, toxicity: Mapping[str, object], /, **more: object
    ) -> None:
        """The same, when its message reached the log only at ``arrives``."""
        at, received = self.moment(when), self.moment(arrives)
        self.log.write("ae.reported", ae_id, revision, at, {**toxicity, **more}, received=received)

    def retract_ae(self, when: str, ae_id: str, revision: int, reason: str) -> None:
        self.log.retract("ae", ae_id, revision, self.moment(when), reason)

    def adjudicate(
        self, when: str, record: str, case: str, verdict: str, reason: str, parties: tuple[str, ...], system: str
    ) -> None:
        """A decision signed by ``parties`` at ``when`` and recorded ten minutes later."""
        decided = self.moment(when)
        signatures = [
            {"party": party, "by": f"{party}-1", "at": decided.isoformat(), "meaning": "decision"} for party in parties
        ]
        data = {
            "case": case,
            "verdict": verdict,
            "decided": decided.isoformat(),
            "signatures": signatures,
            "reason": reason,
        }
        self.log.write("dlt.adjudicated", record, 1, decided + timedelta(minutes=10), data, system=system)

    def stop_treatment(self, day: int, reason: str = "adverse-event") -> None:
        """No drug from ``day`` on, and the record that says so on the evening of that day."""
        self.treatment_ends = day
        data = {"scope": "treatment", "date": self.on(f"D{day}"), "reason": reason}
        self.log.write("subject.discontinued", "treatment", 1, self.moment(f"D{day} 19:00"), data)

    def blood(self, day: int, test: str, *, value: float | None = None, times_uln: float | None = None) -> None:
        self.wishes[day, test] = Wish(value, times_uln)

    def expect(
        self,
        when: str,
        case: str,
        verdict: str,
        clauses: Mapping[str, str],
        *,
        counts: bool = False,
        overruled: bool = False,
        due: str | None = None,
        laboratory: bool = False,
        axis: Axis = "recorded",
    ) -> None:
        """What a correct watcher says of ``case`` at ``when``."""
        subject, as_of = self.log.subject, self.moment(when)
        check = Check(as_of, axis, subject, case, verdict, clauses, counts, overruled, due, laboratory)
        self.checks.append(check)

    def silent(self, when: str, axis: Axis = "recorded") -> None:
        self.silences.append(Silence(self.moment(when), axis, self.log.subject))


@dataclass(frozen=True)
class Story:
    """A plan: its name, its truth in one sentence, and how it is told."""

    name: str
    sentence: str
    tell: Callable[[Telling], None]
    ends_silent: bool


def story(name: str, sentence: str, *, ends_silent: bool = True) -> Callable[[Callable[[Telling], None]], Story]:
    """Make a story of a function; ``ends_silent`` says that no case of the subject is left when the trial is over."""

    def wrap(tell: Callable[[Telling], None]) -> Story:
        return Story(name, sentence, tell, ends_silent)

    return wrap


def toxicity(term: str, causality: Mapping[str, object], **more: object) -> dict[str, object]:
    """An adverse event with every flag answered no, so that a story leaves open only what it means to leave open."""
    return {
        "term": term,
        "term_language": "en",
        "preferred_term": term,
        "immune_related": False,
        "injection_site": False,
        "flu_like": False,
        "serious": False,
        "causality": causality,
        **more,
    }
