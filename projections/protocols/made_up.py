"""MADE-UP-1: a trial that does not exist, so that nobody takes it for one.

It is another kind of trial than ISI-JX in everything that a protocol may say: one oral drug, a dose-finding part, a backfill part
with a window of its own and an expansion without any, another window and CTCAE version, sites on another continent, other clauses
with ids of their own. Tests and demonstrations run it beside ISI-JX: what works for both knows neither.
"""

from __future__ import annotations

from typing import Final

from projections.rules.cases.predicates import immune_related, in_window, lasting_more_than, major_end_organ, related
from projections.rules.logic.trial_protocol import Assumptions, Clause, LaboratoryRule, Part, TrialProtocol

CLAUSES: Final = (
    Clause(
        "NON-HAEM",
        "Any drug-related toxicity of Grade 3 or higher in the first cycle that lasts for more than 3 days",
        at_grade=3,
        requires=(related, in_window, lasting_more_than(3, at_grade=3)),
        laboratory=LaboratoryRule(at_grade=3, longer_than_days=3),
        summary="grade 3 or more for over 3 days, drug-related",
    ),
    Clause(
        "LIFE-THREATENING",
        "Any drug-related toxicity of Grade 4 or higher in the first cycle",
        at_grade=4,
        requires=(related, in_window),
        laboratory=LaboratoryRule(at_grade=4),
        summary="grade 4 or 5, drug-related",
    ),
    Clause(
        "IMMUNE",
        "Any immune-mediated toxicity of Grade 2 or higher of the eye, the heart or the nervous system",
        at_grade=2,
        requires=(related, in_window, immune_related, major_end_organ),
        summary="immune-mediated, grade 2 or more, of eye, heart or nerves",
    ),
    Clause(
        "DECLARED",
        "Any toxicity that the safety review committee declares dose-limiting",
        at_grade=None,
        summary="declared dose-limiting by the safety review committee",
    ),
)

PROTOCOL: Final = TrialProtocol(
    name="made-up",
    version="1.0",
    trial="MADE-UP-1",
    title="MADE-UP-1: a trial that does not exist, one oral drug, dose finding",
    subject_pattern=r"^(?P<site>US[0-9]{2})\.[A-Z][0-9]{3}$",
    drugs=("lumavir",),
    time_zone="America/Chicago",
    clauses=CLAUSES,
    window_days=28,
    parts=(
        Part("escalation", counted=True),
        Part("backfill", counted=False, window=56),
        Part("expansion", counted=False, window="none"),
    ),
    ctcae_version="5.0",
    cohort_design="3+3",
    sponsor_sources=("urn:cro:*",),
    major_organs=frozenset({"eye", "heart", "central-nervous-system", "peripheral-nervous-system"}),
    minor_organs=frozenset({"skin", "thyroid"}),
    assumptions=Assumptions(stopping_lookback_days=14, laboratory_slack_hours=48),
)
