"""What is said of one revision of an alert outside Toxwatch, and no more than that.

A message leaves our hands: it names the pseudonymous subject, clauses, verdict, urgency and revision, and where to read on.
``case``, ``population`` and ``dose_level`` are kept to choose who is told. Of a subject's alert the case is not said: it may
name an analyte or a death.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from events.alert import AlertEvent, AlertRaised, AlertRevised, AlertWithdrawn, Telling, Verdict
from projections.folds.alert_transition import AlertKind
from projections.folds.system_alerts import COHORT, INTAKE, STALLED, UNDELIVERED, UNWATCHED

#: What an alert that is no subject's says, by the beginning of its case. Its reasons may quote a sender, so none is repeated.
SENTENCES: Final = {
    COHORT: "The dose level is on hold: no further subject is to be treated there until the sponsor decides.",
    INTAKE: "An event that looks severe was refused at intake; see that it is corrected and sent again.",
    f"{UNWATCHED}@": "No subject of this part of the log is being watched; judge every subject by hand until it goes on.",
    STALLED: "A part of Toxwatch has stopped for a minute or for good; look at /readyz, and judge by hand what cannot wait.",
    UNWATCHED: "The subject is not being watched, because one of its events could not be processed.",
    UNDELIVERED: "An alert has not reached everybody who is to be told of it.",
}
QUIET_RANK: Final = 4
WITHDRAWN_SENTENCE: Final = "It no longer stands."
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
        """Whether it is told only after a day, unless settled by then (RULES 2)."""
        return self.urgency == "routine" and not self.is_withdrawn

    @property
    def headline(self) -> str:
        """One line: ``URGENT raised: FR01-001 DLT-1 met``."""
        about = f"{self.subject} {self._standing}" if self.subject is not None else self.case
        return plain(f"{self.urgency.upper()} {self.kind}: {about}")

    @property
    def sentence(self) -> str | None:
        """What an alert that is no subject's says; None for a subject's."""
        if self.subject is not None:
            return None
        if self.is_withdrawn:
            return WITHDRAWN_SENTENCE
        return next((text for start, text in SENTENCES.items() if self.case.startswith(start)), OTHER_SENTENCE)

    @property
    def told_clauses(self) -> dict[str, Verdict]:
        """The clauses that alert; a ``watch`` is nobody's news, and of what was withdrawn none is left."""
        if self.is_withdrawn:
            return {}
        return {clause: verdict for clause, verdict in self.clauses.items() if verdict != "watch"}

    @property
    def _standing(self) -> str:
        if self.is_withdrawn:
            return "no longer stands"
        parts = []
        for verdict in ("met", "possible"):
            clauses = [clause for clause, found in self.told_clauses.items() if found == verdict]
            if clauses:
                parts.append(f"{', '.join(clauses)} {verdict}")
        return "; ".join(parts)


def notice_of(event: AlertEvent) -> Notice:
    """What is said of an alert event."""
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
    )


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
