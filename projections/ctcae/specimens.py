"""What a laboratory calls its specimens, in the contract's words: only blood, serum and plasma are graded.

A word that is not known here is None: it must be asked about, and is never taken for blood.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

Specimen = Literal["blood", "serum", "plasma", "urine", "csf", "other"]

#: In the order of preference among those that are blood. A text that names blood and something else is something else.
_WORDS: Final[tuple[tuple[Specimen, str], ...]] = (
    ("csf", r"csf|c\.s\.f\.?|cerebro-?\s?spinal(?:is)?|liquor|lcr|c[ée]phalo-?\s?rachidien"),
    ("urine", r"urines?|urinary|urinalysis|urinanalysis|urinaire|urin|ur|ua|u-?chem(?:istry)?|dip-?stick"),
    (
        "other",
        (
            r"stools?|f(?:a)?ec(?:es|al)|selles|saliva|sputum|sweat|hair|nails?|swabs?|bone marrow|marrow|ascit\w*"
            r"|pleural|peritoneal|synovial|amniotic|semen|bile|gastric|tissue|biops(?:y|ies)|bronch\w*|lavage|cord blood|milk"
            r"|tears|vitreous|pericardial|wound|drain(?:age)?|effusion"
        ),
    ),
    ("serum", r"serum|s[ée]rum|sera|ser"),
    ("plasma", r"plasma|plas"),
    ("blood", r"blood|sang|blut|venous|arterial|capillary|bld|wb"),
)
_SAID: Final = tuple((specimen, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for specimen, words in _WORDS)


@lru_cache(maxsize=8192)
def specimen_named(text: str) -> Specimen | None:
    """The specimen of a laboratory's word for it; None where the word says none that is known here."""
    plain = re.sub(r"[_,;/()\[\]-]+", " ", text)
    return next((specimen for specimen, words in _SAID if words.search(plain) or words.search(text)), None)
