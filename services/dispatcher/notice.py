"""What is said of one revision of an alert outside Toxwatch, and no more than that.

A message leaves our hands: it names the pseudonymous subject, clauses, verdict, urgency and revision, and where to read on.
``case``, ``population`` and ``dose_level`` are kept to choose who is told. Of a subject's alert the case is not said: it may
name an analyte or a death.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from events.alert import AlertEvent, AlertRaised, AlertRevised, AlertWithdrawn, Change, Telling, Verdict
from events.dates import parse_instant, zone_named
from events.local_time import local_time
from projections.folds.alert_news import alerting_clauses
from projections.folds.alert_transition import AlertKind
from projections.folds.system_alerts import COHORT, INTAKE, STALLED, UNDELIVERED, UNWATCHED, level_of_case
from projections.rules.cases.finding import PART_UNKNOWN

#: What an alert that is no subject's says, by the beginning of its case. Its reasons may quote a sender, so none is repeated.
SENTENCES: Final = {
    COHORT: "The dose level is on hold: no further subject is to be treated there until the sponsor decides.",
    INTAKE: "An event that looks severe was refused at intake; see that it is corrected and sent again.",
    f"{UNWATCHED}@": "No subject of this part of the log is being watched; judge every subject by hand until it goes on.",
    STALLED: "A part of Toxwatch has stopped for a minute or for good; look at /readyz, and judge by hand what cannot wait.",
    UNWATCHED: "The subject is not being watched, because one of its events could not be processed.",
    UNDELIVERED: "A channel does not deliver. Look at it, and tell the recipients yourself until it works again.",
}
#: From this rank on, what is due for one recipient goes in one message.
GROUPED_RANK: Final = 2
QUIET_RANK: Final = 4
WITHDRAWN_SENTENCE: Final = "The cause is gone; you have nothing to do."
WITHDRAWN_SENTENCES: Final = {
    COHORT: "The dose level is no longer on hold: fewer than two subjects count there now.",
    INTAKE: "Every refused event has been corrected and received, or dealt with; you have nothing to do.",
    UNWATCHED: "The subject is being watched again.",
    UNDELIVERED: "The channel works again, and what waited for it has been delivered.",
}
BY_ITSELF: Final = "no event of a site: time has passed, or other rules are in force"
#: What may be said of a change outside Toxwatch, the clauses aside.
SAID: Final = frozenset({"counts as a DLT", "dose level", "population", "number", "protocol version"})
_HANDLE_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
OTHER_SENTENCE: Final = "Toxwatch itself needs attention."


class Notice(BaseModel):
    """One revision of one alert, as the ledger keeps it."""

    model_config = ConfigDict(frozen=True)

    alert_id: str
    revision: int
    kind: AlertKind
    trial: str
    subject: str | None
    case: str
    verdict: Verdict | None
    clauses: dict[str, Verdict]
    urgency: Literal["urgent", "prompt", "routine"]
    population: str | None
    dose_level: int | None
    detected_at: str
    telling: Telling = "news"
    changes: list[Change] = []
    questions: list[str] = []
    counts_as_dlt: bool = False
    previous_verdict: Verdict | None = None
    count: int | None = None
    out_of: int | None = None
    site: str | None = None
    protocol_version: str = ""
    #: Of the trial around it, when it was planned: what the clauses say in a few words, how many other alerts of the subject are
    #: open, and the IANA name of the time zone in which its readers live.
    summaries: dict[str, str] = {}
    others_open: int | None = None
    zone: str | None = None

    @property
    def is_system(self) -> bool:
        """Whether it is about Toxwatch itself, and not about a subject or a dose level."""
        return self.subject is None and not self.case.startswith(COHORT)

    @property
    def rank(self) -> int:
        """Its place in a channel's queue: what is about subjects before what is about Toxwatch, what is no news last."""
        if self.telling != "news":
            return QUIET_RANK
        if self.urgency == "urgent":
            return 1 if self.is_system else 0
        return 2 if self.urgency == "prompt" else 3

    @property
    def is_withdrawn(self) -> bool:
        """Whether nothing stands any longer."""
        return self.kind == "withdrawn"

    @property
    def waits(self) -> bool:
        """Whether it is told only after a day, unless settled by then (rules.md §2)."""
        return self.urgency == "routine" and not self.is_withdrawn

    @property
    def handle(self) -> str:
        """A short name of the alert, by which people tell it from the others of its subject: ``7Q2M-4D``."""
        return handle_of(self.alert_id)

    @property
    def headline(self) -> str:
        """One line: ``URGENT raised: FR01-001 DLT-1 met``; what is withdrawn or weaker is not urgent."""
        about = f"{self.subject} {self._verdicts}" if self.subject is not None else self._system
        first = f"{self.urgency.upper()} {self.kind}" if self.telling == "news" and not self.is_withdrawn else self.kind
        return plain(f"{first[:1].upper()}{first[1:]}: {about}")

    @property
    def _system(self) -> str:
        """What an alert is about that is no subject's."""
        held = level_of_case(self.case)
        if held is None:
            return self.case
        return f"part {held[0]}, level {held[1]} {'no longer ' if self.is_withdrawn else ''}on hold"

    @property
    def sentence(self) -> str | None:
        """What an alert that is no subject's says; None for a subject's."""
        if self.subject is not None:
            return None
        if self.is_withdrawn:
            return _of_case(WITHDRAWN_SENTENCES, self.case) or WITHDRAWN_SENTENCE
        counted, held = "", level_of_case(self.case)
        if self.count is not None:
            counted = f"Number: {self.count}. "
            if held is not None:
                counted = (
                    f"Part {held[0]}, level {held[1]}: {self.count} of {self.out_of} treated subjects have a DLT. "
                )
        return counted + (_of_case(SENTENCES, self.case) or OTHER_SENTENCE)

    @property
    def advice(self) -> str:
        """What it means and what to do."""
        if self.sentence is not None:
            return self.sentence
        if self.is_withdrawn:
            return "Nothing is left of this alert. You have nothing to do about it."
        if self.telling != "news":
            return "Weaker than before, or no longer counted. Told quietly: nobody is woken for this."
        if "met" in self.alerting_clauses.values():
            return "A clause is met. Read the evidence, and decide whether the toxicity is dose-limiting."
        return "A clause may be met: something is not known. Read what would settle it, and ask the site."

    @property
    def whereabouts(self) -> str:
        """The subject with part and dose level."""
        part = part_of(self.population) or "part not on record"
        level = f"level {self.dose_level}" if self.dose_level is not None else "dose level not on record"
        return f"{self.subject}, {part}, {level}"

    @property
    def counting(self) -> str:
        """Whether it counts for the dose level."""
        return "as a DLT of its dose level" if self.counts_as_dlt else "not as a DLT for the dose level"

    @property
    def others(self) -> str | None:
        """Whether other alerts of the subject are open."""
        if self.others_open is None:
            return None
        if self.others_open == 0:
            return "no other alert of this subject is open"
        if self.others_open == 1:
            return "1 other alert of this subject is open"
        return f"{self.others_open} other alerts of this subject are open"

    @property
    def what_changed(self) -> list[str]:
        """What is different from the revision before, without a clinical word: ``DLT-2 met -> no``."""
        shown = [change for change in self.changes if change.what in SAID or change.what.startswith(self._clauses_had)]
        return [plain(f"{change.what}: {change.before} -> {change.after}") for change in shown]

    @property
    def changed_by(self) -> str | None:
        """Whose event made the change: the source and the id of the event."""
        event = next((change.by for change in self.changes if change.by is not None), None)
        if event is None:
            return None
        return BY_ITSELF if event.source.startswith("urn:toxwatch:") else plain(f"{event.source} {event.id}")

    @property
    def _clauses_had(self) -> tuple[str, ...]:
        verdicts = {"met", "possible", "no"}
        return tuple(c.what for c in self.changes if {c.before, c.after} <= verdicts and c.before is not None) or (
            "\0",
        )

    @property
    def when(self) -> str:
        """The instant at which it was detected, as the clock on the wall of the subject's site showed it."""
        instant = parse_instant(self.detected_at)
        return local_time(instant, zone_named(self.zone)) if self.zone is not None else self.detected_at

    @property
    def alerting_clauses(self) -> dict[str, Verdict]:
        """The clauses that alert; a ``watch`` is nobody's news, and of what was withdrawn none is left."""
        return {} if self.is_withdrawn else alerting_clauses(self.clauses)

    @property
    def _verdicts(self) -> str:
        if self.is_withdrawn:
            had = ", ".join(f"{c.what} was {c.before}" for c in self.changes if c.what in self._clauses_had)
            return f"alert {self.handle}" + (f", {had}" if had else "")
        parts = []
        for verdict in ("met", "possible"):
            clauses = [clause for clause, found in self.alerting_clauses.items() if found == verdict]
            if clauses:
                parts.append(f"{', '.join(clauses)} {verdict}")
        return "; ".join(parts)


def notice_of(event: AlertEvent, site: str | None = None) -> Notice:
    """What is said of an alert event. ``site`` is whose subject, or whose refused input, it is about."""
    data = event.data
    return Notice(
        alert_id=data.alert_id,
        revision=data.revision,
        kind=_kind(event),
        trial=event.trial,
        subject=event.subject,
        case=data.case,
        verdict=data.verdict,
        clauses=data.clauses,
        urgency=data.urgency,
        population=data.population,
        dose_level=data.dose_level,
        detected_at=data.detected_at,
        telling=_telling(event),
        changes=data.changes,
        questions=data.questions,
        counts_as_dlt=data.counts_as_dlt,
        previous_verdict=data.previous_verdict,
        count=data.count,
        out_of=data.out_of,
        site=site,
        protocol_version=data.protocol_version,
    )


def part_of(population: str | None) -> str | None:
    """The part that a population names, for people: ``part A``; None where it is not on record."""
    if population is None or population == PART_UNKNOWN:
        return None
    name = population.removeprefix("part-")
    return f"part {name.upper() if len(name) == 1 else name}"


def handle_of(alert_id: str) -> str:
    """Six signs that are hard to confuse, derived from the id of the alert."""
    number = int(hashlib.sha256(alert_id.encode()).hexdigest()[:8], 16)
    signs = "".join(_HANDLE_LETTERS[number >> 5 * place & 31] for place in range(6))
    return f"{signs[:4]}-{signs[4:]}"


def _of_case(sentences: Mapping[str, str], case: str) -> str | None:
    return next((text for start, text in sentences.items() if case.startswith(start)), None)


def _telling(event: AlertEvent) -> Telling:
    """As the event says; what older software told was sent whatever it was."""
    if event.data.telling is not None:
        return event.data.telling
    return "quiet" if isinstance(event, AlertWithdrawn) else "news"


def plain(text: str) -> str:
    """The text on one line: whatever could break a line, a header or a terminal is a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def _kind(event: AlertEvent) -> AlertKind:
    if isinstance(event, AlertRaised):
        return "raised"
    return "revised" if isinstance(event, AlertRevised) else "withdrawn"
