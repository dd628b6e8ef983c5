"""MADE-UP-2: a protocol that shares nothing with ISI-JX but the way in which it is declared.

Three drugs, Indian sites, a window of 21 days, clauses with ids and words of their own, other major organs.
"""

from __future__ import annotations

from typing import Final

from projections.rules.cases.predicates import immune_related, in_window, lasting_more_than, major_end_organ, related
from projections.rules.logic.trial_protocol import Clause, Part, TrialProtocol

ANY_SEVERE: Final = "any related adverse event of grade 3 or worse in the first cycle"
LASTING: Final = "any related adverse event of grade 2 or worse that lasts for more than 3 days"
SKIN_OR_EYE: Final = "any related immune-mediated adverse event of grade 2 or worse of skin or eye"
BOARD: Final = "any adverse event that the safety board calls dose-limiting"

PROTOCOL: Final = TrialProtocol(
    name="made-up-2",
    version="4.1",
    trial="CTRI-2024-001",
    title="MADE-UP-2: three drugs, dose finding",
    subject_pattern=r"^(?P<site>IN[0-9]{3})\.[A-Z][0-9]{2}$",
    drugs=("alfa", "beta", "gamma"),
    time_zone="Asia/Kolkata",
    clauses=(
        Clause("TOX-SEVERE", ANY_SEVERE, at_grade=3, requires=(related, in_window)),
        Clause("TOX-LASTING", LASTING, at_grade=2, requires=(related, in_window, lasting_more_than(3, at_grade=2))),
        Clause("TOX-IMMUNE", SKIN_OR_EYE, at_grade=2, requires=(related, in_window, immune_related, major_end_organ)),
        Clause("TOX-BOARD", BOARD, at_grade=None),
    ),
    window_days=21,
    parts=(Part("A", counted=True), Part("B", counted=False)),
    sponsor_sources=("urn:board:*",),
    major_organs=frozenset({"skin", "eye"}),
    minor_organs=frozenset({"liver"}),
)
