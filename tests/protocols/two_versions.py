"""MADE-UP-3: a protocol with an amendment, and with parts that are not called A and B.

Version 1 has a window of 28 days. Version 2, from 1 June 2024 on (in Kolkata), has one of 14 days, another drug beside, no
clause about lasting toxicity, and a part of its own. Part X counts, part Y has no window and does not count.
"""

from __future__ import annotations

from typing import Final

from projections.rules.cases.predicates import in_window, lasting_more_than, related
from projections.rules.logic.trial_protocol import Clause, Part, TrialProtocol

SEVERE: Final = Clause("TOX-SEVERE", "any related toxicity of grade 3", at_grade=3, requires=(related, in_window))
LASTING: Final = Clause(
    "TOX-LASTING",
    "any related toxicity of grade 2 that lasts for more than 3 days",
    at_grade=2,
    requires=(related, in_window, lasting_more_than(3, at_grade=2)),
)
BOARD: Final = Clause("TOX-BOARD", "whatever the board calls dose-limiting", at_grade=None)
X: Final = Part("X", counted=True)
Y: Final = Part("Y", counted=False, window="none")

VERSION_1: Final = TrialProtocol(
    name="made-up-3",
    version="1",
    trial="CTRI-2024-001",
    title="MADE-UP-3: a protocol with an amendment",
    subject_pattern=r"^(?P<site>IN[0-9]{3})\.[A-Z][0-9]{2}$",
    drugs=("alfa", "beta"),
    time_zone="Asia/Kolkata",
    clauses=(SEVERE, LASTING, BOARD),
    window_days=28,
    parts=(X, Y),
    sponsor_sources=("urn:board:*",),
)
PROTOCOL: Final = VERSION_1.amended(
    version="2",
    effective="2024-06-01",
    window_days=14,
    drugs=("alfa", "beta", "gamma"),
    clauses=(SEVERE, BOARD),
    parts=(X, Y, Part("Z", counted=True)),
)
#: The same amendment as the correction of a mistake.
FOR_EVERYONE: Final = VERSION_1.amended(
    version="2", effective="2024-06-01", window_days=14, clauses=(SEVERE, BOARD), applies_to="everyone"
)
