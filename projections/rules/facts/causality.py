"""Whether an adverse event is related to the study drugs (rules.md §3.3).

The answers over every study drug, and over investigator and sponsor, are or-ed: a sponsor never downgrades an investigator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from events.acceptance import INJECTION_PROCEDURE, STUDY_TREATMENT
from events.adverse_event import AdverseEventReported
from events.dates import Span
from projections.rules.facts.subject_facts import Known, SubjectFacts, reference
from projections.rules.logic.truth import Answer, Truth, disjunction, no, unknown, yes

RELATED: Final = frozenset({"certain", "probable", "possible", "related"})
UNRELATED: Final = frozenset({"unlikely", "unrelated"})
NOT_APPLICABLE: Final = "not-applicable"


def related_to_study_drugs(facts: SubjectFacts, row: Known[AdverseEventReported], onset: Span) -> Answer:
    """What the causality answers of one row say together. ``onset`` is when the toxicity began."""
    answer = disjunction(_drug_answers(facts, row.event, onset))
    if answer.truth is Truth.NO and (party := _blames_procedure(row.event)):
        return unknown(
            f"{party}: related to the injection procedure, to neither study drug",
            "Related to the injection procedure alone: is it a toxicity of the study treatment?",
            reference(row.event),
        )
    return answer


def _drug_answers(facts: SubjectFacts, event: AdverseEventReported, onset: Span) -> Iterator[Answer]:
    causality = event.data.causality
    investigator = (causality.investigator if causality else None) or {}
    for drug in facts.protocol.drugs:
        word = investigator.get(drug) or investigator.get(STUDY_TREATMENT)
        yield _reading(facts, event, "investigator", drug, word, onset)
    sponsor = (causality.sponsor if causality else None) or {}
    for drug in facts.protocol.drugs:
        word = sponsor.get(drug) or sponsor.get(STUDY_TREATMENT)
        # An assessment that the sponsor never gave is not missing: only what was given counts.
        if word is not None:
            yield _reading(facts, event, "sponsor", drug, word, onset)


def _reading(
    facts: SubjectFacts, event: AdverseEventReported, party: str, drug: str, word: str | None, onset: Span
) -> Answer:
    source = reference(event)
    said = f"{party}: {word} for {drug}"
    if word in RELATED:
        return yes(said, source)
    if word in UNRELATED:
        return no(said, source)
    if word == NOT_APPLICABLE and _certainly_not_given_by(facts, drug, onset):
        return no(f"{said}, which had not been given by then", source)
    if word is None:
        return unknown(
            f"{party}: no causality for {drug}", f"Is it related to {drug}? Not assessed by the {party}.", source
        )
    return unknown(said, f"Is it related to {drug}? The {party} answered {word}.", source)


def _certainly_not_given_by(facts: SubjectFacts, drug: str, onset: Span) -> bool:
    if facts.treatment is None:
        return False
    first = facts.treatment.by_drug.get(drug)
    return first is None or first > onset.hi


def _blames_procedure(event: AdverseEventReported) -> str | None:
    causality = event.data.causality
    if causality is None:
        return None
    for party, given in (("investigator", causality.investigator), ("sponsor", causality.sponsor)):
        if (given or {}).get(INJECTION_PROCEDURE) in RELATED:
            return party
    return None
