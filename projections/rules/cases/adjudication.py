"""What investigator, sponsor and committee decided about a case (rules.md §3.9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from events.adjudication import DltAdjudicated
from events.dates import Instant, parse_instant
from projections.rules.facts.subject_facts import Known, reference
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import Answer, EventKey, no, unknown, yes

DLT: Final = "dlt"
NOT_DLT: Final = "not-dlt"
#: Who decide together; the committee decides alone.
BOTH: Final = frozenset({"investigator", "sponsor"})


class Ruling(NamedTuple):
    """One adjudication record as it counts: who of those entitled signed, and whether that makes it effective.

    ``uncounted`` are the parties whose signatures do not count, because the record is not from a source of theirs.
    """

    adjudication_id: str
    verdict: str
    decided: Instant
    parties: tuple[str, ...]
    effective: bool
    source: EventKey
    order: tuple[Instant, Instant, str]
    uncounted: tuple[str, ...] = ()
    how: str = ""


class Decision(NamedTuple):
    """What the rulings on a case come to.

    ``dose_limiting`` answers the adjudicated clause. ``overruled_by`` is the ruling that says not dose-limiting and has not
    been lifted since; whether it has lapsed is for the assessment to say.
    """

    dose_limiting: Answer
    overruled_by: Ruling | None
    rulings: tuple[Ruling, ...]


def ruling(known: Known[DltAdjudicated], protocol: TrialProtocol, site: str | None = None) -> Ruling:
    """Read one adjudication. Sponsor and committee sign only from sources that the protocol lists for them.

    ``site`` is the subject's, where its enrolment says so; else the event's.
    """
    event = known.event
    data = event.data
    stated = {signature.party for signature in data.signatures}
    signed = {party for party in stated if protocol.counts_signature(party, event.source, site or event.site)}
    how = f", attested by {event.source}" if protocol.signatures == "attested" else ", each from its own source"
    decided = parse_instant(data.decided)
    return Ruling(
        data.adjudication_id,
        data.verdict,
        decided,
        _in_order(signed),
        "committee" in signed or signed >= BOTH,
        reference(event),
        (decided, known.time, event.id),
        _in_order(stated - signed),
        how,
    )


def signed_apart(rulings: Iterable[Ruling]) -> list[Ruling]:
    """The rulings on a case where each party signs from its own source, and so on its own record.

    Investigator and sponsor have decided together once the latest ruling of each says the same. They have decided on what was
    known to both: an overrule covers no more.
    """
    latest: dict[str, Ruling] = {}
    found = []
    for made in sorted(rulings, key=lambda r: r.order):
        latest.update(dict.fromkeys(made.parties, made))
        agreed = {party: one for party, one in latest.items() if party in BOTH and one.verdict == made.verdict}
        if agreed.keys() >= BOTH and BOTH & set(made.parties):
            parties = _in_order(agreed.keys() | set(made.parties))
            decided = min(one.decided for one in agreed.values())
            found.append(made._replace(parties=parties, effective=True, decided=decided))
        else:
            found.append(made)
    return found


def decide(own: Iterable[Ruling], on_parts: Iterable[Ruling], protocol: TrialProtocol) -> Decision:
    """What the rulings on a case, and on the later rows joined to it, come to.

    A ruling "dose-limiting" on a later row counts for the whole; "not dose-limiting" on a part does not.
    """
    rulings = sorted((*own, *(r for r in on_parts if r.verdict == DLT)), key=lambda r: r.order)
    if protocol.signatures == "own":
        rulings = signed_apart(rulings)
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
        answer = yes(f"adjudicated dose-limiting ({latest.adjudication_id}, {_by(latest)}){latest.how}", latest.source)
    elif open_question is not None:
        answer = unknown(
            f"called dose-limiting, not fully signed ({open_question.adjudication_id}, {_by(open_question)})"
            f"{_uncounted(open_question)}",
            "Is it dose-limiting? The adjudication lacks a signature of investigator and sponsor, or of the committee.",
            open_question.source,
        )
    else:
        answer = no("not adjudicated dose-limiting")
    overruled = latest if latest is not None and latest.verdict == NOT_DLT and open_question is None else None
    return Decision(answer, overruled, tuple(rulings))


def _by(made: Ruling) -> str:
    return " and ".join(made.parties) or "no valid signature"


def _uncounted(made: Ruling) -> str:
    if not made.uncounted:
        return ""
    return (
        f"; the signature of {' and '.join(made.uncounted)} does not count: {made.source.source} is no source of theirs"
    )


def _in_order(parties: Iterable[str]) -> tuple[str, ...]:
    return tuple(party for party in ("investigator", "sponsor", "committee") if party in set(parties))
