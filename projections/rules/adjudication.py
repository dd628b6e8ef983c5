"""What investigator, sponsor and committee decided about a case (RULES 3.9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from events.adjudication import DltAdjudicated
from events.dates import Instant, parse_instant
from projections.rules.protocol import Protocol
from projections.rules.subject_facts import Known, reference
from projections.rules.truth import Answer, EventRef, no, unknown, yes

DLT: Final = "dlt"
NOT_DLT: Final = "not-dlt"


class Ruling(NamedTuple):
    """One adjudication record as it counts: who of those entitled signed, and whether that makes it effective."""

    adjudication_id: str
    verdict: str
    decided: Instant
    parties: tuple[str, ...]
    effective: bool
    source: EventRef
    order: tuple[Instant, Instant, str]


class Decision(NamedTuple):
    """What the rulings on a case come to.

    ``dose_limiting`` answers the adjudicated clause. ``overruled_by`` is the ruling that says not dose-limiting and has not
    been lifted since; whether it has lapsed is for the assessment to say.
    """

    dose_limiting: Answer
    overruled_by: Ruling | None
    rulings: tuple[Ruling, ...]


def ruling(known: Known[DltAdjudicated], protocol: Protocol) -> Ruling:
    """Read one adjudication. Sponsor and committee sign only from sources that the protocol lists for them."""
    event = known.event
    data = event.data
    signed = {signature.party for signature in data.signatures}
    if not protocol.is_sponsor(event.source):
        signed -= {"sponsor", "committee"}
    decided = parse_instant(data.decided)
    return Ruling(
        data.adjudication_id,
        data.verdict,
        decided,
        tuple(party for party in ("investigator", "sponsor", "committee") if party in signed),
        "committee" in signed or {"investigator", "sponsor"} <= signed,
        reference(event),
        (decided, known.time, event.id),
    )


def decide(own: Iterable[Ruling], on_parts: Iterable[Ruling]) -> Decision:
    """What the rulings on a case, and on the later rows joined to it, come to.

    A ruling "dose-limiting" on a later row counts for the whole; "not dose-limiting" on a part does not.
    """
    rulings = sorted((*own, *(r for r in on_parts if r.verdict == DLT)), key=lambda r: r.order)
    latest = next((r for r in reversed(rulings) if r.effective), None)
    open_question = next(
        (
            r
            for r in reversed(rulings)
            if r.verdict == DLT and not r.effective and (latest is None or r.order > latest.order)
        ),
        None,
    )
    if latest is not None and latest.verdict == DLT:
        answer = yes(f"adjudicated dose-limiting ({latest.adjudication_id}, {_by(latest)})", latest.source)
    elif open_question is not None:
        answer = unknown(
            f"called dose-limiting, not fully signed ({open_question.adjudication_id}, {_by(open_question)})",
            "Is it dose-limiting? The adjudication lacks a signature of investigator and sponsor, or of the committee.",
            open_question.source,
        )
    else:
        answer = no("not adjudicated dose-limiting")
    overruled = latest if latest is not None and latest.verdict == NOT_DLT and open_question is None else None
    return Decision(answer, overruled, tuple(rulings))


def _by(made: Ruling) -> str:
    return " and ".join(made.parties) or "no valid signature"
