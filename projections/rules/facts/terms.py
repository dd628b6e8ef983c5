"""What the term and the flags of one adverse event row say: immune, major organ, injection site, flu-like (rules.md §3.6-3.8)."""

from __future__ import annotations

from events.adverse_event import AdverseEventReported
from projections.rules.facts.lexicon import TermReading, default_lexicon
from projections.rules.facts.subject_facts import reference
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import Answer, no, unknown, yes

ASK_CODE = "Code the term: it is not in the lexicon."

#: How the lexicon marks a term whose organ must be adjudicated.
ADJUDICATE = "?"


def term_reading(event: AdverseEventReported) -> TermReading:
    """The lexicon's reading of the row's terms."""
    data = event.data
    return default_lexicon().read(data.term, data.preferred_term, data.ctcae_term)


def immune_related(event: AdverseEventReported, reading: TermReading) -> Answer:
    """The flag, else by term: a known immune concept is unknown until someone says."""
    source = reference(event)
    flagged = event.data.immune_related
    if flagged is not None:
        return yes("flagged immune related", source) if flagged else no("flagged not immune related", source)
    if not reading.recognised:
        return unknown("the term is not recognised", ASK_CODE, source)
    term = reading.immune.term
    if reading.immune.immune == "concept":
        return unknown(f"{term} may be immune related; not flagged", "Is it immune related?", source)
    return no(f"{term} is not an immune-related concept", source)


def major_end_organ(event: AdverseEventReported, reading: TermReading, protocol: TrialProtocol) -> Answer:
    """By the stated organs, else by the term's own."""
    source = reference(event)
    stated = event.data.organs or []
    major = [organ for organ in stated if organ in protocol.major_organs]
    if major:
        return yes(f"{major[0]} is a major end organ", source)
    if stated:
        if any(organ not in protocol.minor_organs for organ in stated):
            return unknown(f"{', '.join(stated)}: to be adjudicated", "Is a major end organ involved?", source)
        of_term = reading.with_organ(protocol.major_organs | {ADJUDICATE})
        if of_term is not None:
            # The term's own organ is major, or the lexicon says to ask, as it does of a severe skin reaction.
            return unknown(
                f"only {', '.join(stated)} stated, but {of_term.term} may involve a major end organ",
                "Is a major end organ involved? The stated organ and the term differ.",
                source,
            )
        return no(f"{', '.join(stated)} is not a major end organ", source)
    return _organ_of_term(event, reading, protocol)


def injection_site_reaction(event: AdverseEventReported, reading: TermReading) -> Answer:
    """The flag, else by term."""
    source = reference(event)
    flagged = event.data.injection_site
    if flagged is not None:
        return yes("flagged injection site", source) if flagged else no("flagged not injection site", source)
    if not reading.recognised:
        return unknown("the term is not recognised", ASK_CODE, source)
    entry = reading.injection_site
    if entry.injection_site == "yes":
        return yes(f"{entry.term} is an injection site reaction", source)
    if entry.injection_site == "ask":
        return unknown(f"{entry.term} may be at the injection site", "Is it an injection site reaction?", source)
    return no(f"{entry.term} is not an injection site reaction", source)


def flu_like(event: AdverseEventReported, reading: TermReading) -> Answer:
    """The flag, else by term; what is flagged immune related is not flu-like, and an exemption is never assumed."""
    source = reference(event)
    if event.data.immune_related:
        return no("flagged immune related, so not flu-like", source)
    flagged = event.data.flu_like
    if flagged is not None:
        return yes("flagged flu-like", source) if flagged else no("flagged not flu-like", source)
    if not reading.recognised:
        return no("the term is not recognised, so not exempt", source)
    entry = reading.flu_like
    if entry.flu_like == "yes":
        return yes(f"{entry.term} is flu-like", source)
    if entry.flu_like == "ask":
        return unknown(f"{entry.term} may be flu-like", "Is it a flu-like symptom?", source)
    return no(f"{entry.term} is not flu-like", source)


def responded_to_therapy(event: AdverseEventReported) -> Answer:
    """Whether it responded to standard therapy."""
    source = reference(event)
    responded = event.data.responded_to_therapy
    if responded is None:
        return unknown("response to standard therapy not recorded", "Did it respond to standard therapy?", source)
    return (
        yes("responded to standard therapy", source) if responded else no("did not respond to standard therapy", source)
    )


def _organ_of_term(event: AdverseEventReported, reading: TermReading, protocol: TrialProtocol) -> Answer:
    """Major decides; then whatever must be asked about, a term that names no organ among it; then the minor ones."""
    source = reference(event)
    major = reading.with_organ(protocol.major_organs)
    if major is not None:
        return yes(f"{major.term}: {major.organ} is a major end organ", source)
    if not reading.recognised:
        return unknown("no organ stated, and the term is not recognised", "Which organ is involved?", source)
    unclear = next((entry for entry in reading.entries if entry.organ not in protocol.minor_organs), None)
    if unclear is None:
        entry = reading.entries[0]
        return no(f"{entry.term}: {entry.organ} is not a major end organ", source)
    if not unclear.organ:
        return unknown(f"no organ stated, and {unclear.term} names none", "Which organ is involved?", source)
    return unknown(f"{unclear.term}: the organ is to be adjudicated", "Is a major end organ involved?", source)
