"""What the tests know of ISI-JX by themselves: the configuration that its events must meet, and where grade 3 begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from events.acceptance import TrialContract
from events.codec import Codec


def codec() -> Codec:
    pattern = r"^(?P<site>FR[0-9]{2})-[0-9]{3,5}$"
    return Codec(TrialContract("NCT02977156", pattern, frozenset({"pexa-vec", "ipilimumab"})))


def _below(limit: float) -> Callable[[float, float], bool]:
    return lambda value, _uln: value < limit


def _above(limit: float) -> Callable[[float, float], bool]:
    return lambda value, _uln: value > limit


def _times(factor: float) -> Callable[[float, float], bool]:
    return lambda value, uln: value > factor * uln


# rules.md §4, the column G3 and worse, in the units that the simulator uses.
GRADE_3: Mapping[str, tuple[Callable[[float, float], bool], ...]] = {
    "NEUT": (_below(1.0),),
    "LYM": (_below(0.5), _above(20)),
    "WBC": (_below(2.0),),
    "PLAT": (_below(50),),
    "HGB": (_below(80), _above(205)),
    "ALT": (_times(5),),
    "AST": (_times(5),),
    "ALP": (_times(5),),
    "GGT": (_times(5),),
    "BILI": (_times(3),),
    "CREAT": (_times(3),),
    "INR": (_times(2.5),),
    "SODIUM": (_below(130), _above(155)),
    "K": (_below(3.0), _above(6.0)),
    # Corrected by an albumin of 33 to 47 g/L, calcium moves by 0.14 mmol/L at most.
    "CA": (_below(1.75 + 0.14), _above(3.1 - 0.14)),
    "MG": (_below(0.4), _above(1.23)),
    "GLUC": (_below(2.2), _above(13.9)),
    "ALB": (_below(20),),
    "PHOS": (_below(0.6),),
    "LIPASE": (_times(2),),
    "AMYLASE": (_times(2),),
    "CK": (_times(5),),
}
