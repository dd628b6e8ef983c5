"""ISI-JX, NCT02977156: intratumoral Pexa-Vec + ipilimumab in metastatic or advanced solid tumours, phase 1.

Sponsor Centre Léon Bérard, five French sites, 22 participants, adverse events graded by NCI-CTCAE v4. This page is to be held
beside the registry record. The record defines a dose-limiting toxicity (DLT) as follows, and says nothing about doses per
level, the escalation design or evaluability: those are configuration.

    DLT is defined as the occurrence of any of the following events evaluated as related to study drugs and occurring during
    the first 5 weeks (Part A) of investigative treatment(s):
"""

from __future__ import annotations

from typing import Final

from projections.rules.cases.predicates import (
    immune_related,
    in_window,
    injection_site_reaction,
    lasting_more_than,
    major_end_organ,
    not_flu_like_and_responding,
    related,
)
from projections.rules.logic.trial_protocol import Assumptions, Clause, LaboratoryRule, Part, TrialProtocol

CLAUSES: Final = (
    Clause(
        "DLT-1",
        "any Grade ≥ 4 treatment related toxicity",
        at_grade=4,
        requires=(related, in_window),
        laboratory=LaboratoryRule(at_grade=4),
        summary="grade 4 or 5, related to treatment",
    ),
    Clause(
        "DLT-2",
        "any Grade ≥ 3 treatment related toxicity lasting more than 7 days (except for flu-like symptoms that respond to "
        "standard therapies)",
        at_grade=3,
        requires=(related, in_window, lasting_more_than(7, at_grade=3), not_flu_like_and_responding),
        laboratory=LaboratoryRule(at_grade=3, longer_than_days=7),
        summary="grade 3 or more for over 7 days, related to treatment",
    ),
    Clause(
        "DLT-3",
        "any Grade ≥ 3 treatment related acute immune related AE involving major end organs",
        at_grade=3,
        requires=(related, in_window, immune_related, major_end_organ),
        summary="immune-related, grade 3 or more, of a major organ",
    ),
    Clause(
        "DLT-4",
        "Grade ≥ 3 injection site reaction",
        at_grade=3,
        requires=(related, in_window, injection_site_reaction),
        summary="reaction at the injection site, grade 3 or more",
    ),
    Clause(
        "DLT-5",
        "any other study drug related toxicity considered significant enough to be qualified as DLT in the opinion of the "
        "investigators after discussion with the sponsor. Indeed, as a principle in this Phase I study, any toxicity that "
        "the investigator or the sponsor determines to be dose-limiting, regardless of the grade, may be considered as a DLT.",
        at_grade=None,
        summary="declared dose-limiting by investigator and sponsor",
    ),
)

PROTOCOL: Final = TrialProtocol(
    name="isi-jx",
    version="1",
    trial="NCT02977156",
    title="ISI-JX: intratumoral Pexa-Vec and ipilimumab, phase 1",
    subject_pattern=r"^(?P<site>FR[0-9]{2})-[0-9]{3,5}$",
    drugs=("pexa-vec", "ipilimumab"),
    time_zone="Europe/Paris",
    clauses=CLAUSES,
    # The record: during the first 5 weeks, in Part A. Part B is judged just the same, as a safety signal, and does not count.
    window_days=35,
    parts=(Part("A", counted=True), Part("B", counted=False)),
    ctcae_version="4.03",
    # Not in the record: configuration, to be confirmed by the sponsor.
    cohort_design="3+3",
    sponsor_sources=("urn:sponsor:*",),
    assumptions=Assumptions(),
)
