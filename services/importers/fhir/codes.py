"""What code words mean: of the AE research guide (its R4 backport and R5 build), of R4's own value sets, of ICH E2B and SNOMED.

Words are compared without case, accents and punctuation. A word that is in no table is no guess: it is told.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

from events.adverse_event import CausalityWord
from projections.ctcae.specimens import specimen_named
from services.importers.fhir.elements import Word, squeezed

T = TypeVar("T")


def _each(meaning: T, words: str) -> dict[str, T]:
    """Every one of the words with its meaning."""
    return dict.fromkeys(words.split(), meaning)


#: NCI thesaurus: grades as the guide's cancer trials code them, and the death that is grade 5.
_NCI_GRADES: Final = {"c41338": 1, "c41339": 2, "c41340": 3, "c41337": 4, "c48275": 5}
_GRADE_WORDS: Final = {
    **_each(1, "mild mildadverseevent leger legere 255604002"),
    **_each(2, "moderate moderateadverseevent modere moderee 6736007"),
    **_each(3, "severe severeadverseevent 24484000"),
    **_each(
        4,
        "lifethreatening lifethreateningordisabling lifethreateningadverseevent disabling 442452003 "
        "lifethreateningordisablingadverseevent",
    ),
    **_each(5, "death fatal deathrelatedtoadverseevent deathadverseevent 399166001 419099009"),
}
_ROMAN: Final = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_NUMBER: Final = r"([1-5]|iv|v|i{1,3})"
_GRADED: Final = re.compile(rf"\b(?:grade|grado|grad|g)\W*{_NUMBER}(?:\s*(?:-|/|to|or|–|à|ou)\s*{_NUMBER})?\b")
_SPAN: Final = re.compile(r"([1-5])\s*(?:-|–|/|to|or)\s*([1-5])")
_LEADING: Final = re.compile(r"([1-5])(?:\.0+)?(?:\s*[-:=(,–]\s*\D.*)?")


def grade_of(word: Word) -> int | None:
    """The CTCAE grade that a word of a grade says; of two in one text the worse."""
    plain = squeezed(word.text)
    if plain in _NCI_GRADES:
        return _NCI_GRADES[plain]
    if plain in _GRADE_WORDS:
        return _GRADE_WORDS[plain]
    span = _SPAN.fullmatch(word.text.strip())
    if span is not None:
        return max(int(span[1]), int(span[2]))
    leading = _LEADING.fullmatch(word.text.strip())
    if leading is not None:
        return int(leading[1])
    grades = [
        _ROMAN.get(each) or int(each)
        for found in _GRADED.finditer(word.text.lower())
        for each in found.groups()
        if each
    ]
    return max(grades, default=None)


_OUTCOMES: Final = {
    **_each(
        "RECOVERED/RESOLVED",
        "resolved recovered recoveredorresolved recoveredresolved c49498 gueri retabli 370996005 413322009 ",
    ),
    **_each(
        "RECOVERING/RESOLVING",
        "recovering resolving recoveringorresolving roveringorresolving recoveringresolving c49496 encoursdeguerison ",
    ),
    **_each(
        "NOT RECOVERED/NOT RESOLVED",
        "ongoing notrecovered notresolved notrecoveredorresolved notrecoveringorresolved "
        "notrecoverednotresolved notrecoveringnotresolved c49494 continuing persisting nonretabli nongueri ",
    ),
    **_each(
        "RECOVERED/RESOLVED WITH SEQUELAE",
        "resolvedwithsequelae recoveredwithsequelae recoveredorresolvedwithsequelae "
        "recoveredresolvedwithsequelae recoveredresolvedwithsequela c49495 ",
    ),
    **_each(
        "FATAL",
        "fatal death died dead deceased deathrelatedtoadverseevent resultsindeath c48275 c28554 deces "
        "419099009 399166001 397709008 ",
    ),
    **_each("UNKNOWN", "unknown c17998 inconnu inconnue "),
}
_E2B_OUTCOMES: Final = {
    "1": "RECOVERED/RESOLVED",
    "2": "RECOVERING/RESOLVING",
    "3": "NOT RECOVERED/NOT RESOLVED",
    "4": "RECOVERED/RESOLVED WITH SEQUELAE",
    "5": "FATAL",
    "0": "UNKNOWN",
}
#: From the worst to the mildest: of several outcomes the first of these is written.
OUTCOMES_BY_WEIGHT: Final = (
    "FATAL",
    "NOT RECOVERED/NOT RESOLVED",
    "UNKNOWN",
    "RECOVERING/RESOLVING",
    "RECOVERED/RESOLVED WITH SEQUELAE",
    "RECOVERED/RESOLVED",
)


def outcome_of(word: Word) -> str | None:
    """The outcome as CDISC says it; E2B's numbers as well."""
    return _OUTCOMES.get(squeezed(word.text)) or _E2B_OUTCOMES.get(word.text.strip())


_CRITERIA: Final = {
    **_each(
        "AESDTH",
        "34 resultsindeath resultedindeath death fatal c48275 deathrelatedtoadverseevent seriousresultsindeath ",
    ),
    **_each("AESLIFE", "21 islifethreatening lifethreatening c84266 c41337 seriousislifethreatening "),
    **_each(
        "AESHOSP",
        "33 requiresinpatienthospitalization requiresinpatienthospitalisation hospitalization hospitalisation "
        "resultsinhospitalization resultedinhospitalization c83052 "
        "requiresinpatienthospitalizationorprolongationofexistinghospitalization "
        "requiresorprolongshospitalization prolongedhospitalization seriousresultsinhospitalization ",
    ),
    **_each(
        "AESDISAB",
        "35 resultsinpersistentorsignificantdisability persistentorsignificantdisability disability "
        "resultsindisability resultsindisabliity resultedindisability "
        "persistentorsignificantdisabilityincapacity resultsinpersistentorsignificantdisabilityincapacity "
        "c11338 c113380 seriousresultsindisability ",
    ),
    **_each(
        "AESCONG",
        "12 congenitalanomalyorbirthdefect congenitalanomalybirthdefect congenitalanomaly birthdefect "
        "isbirthdefect resultedinbirthdefect c83117 c2849 seriousisbirthdefect ",
    ),
    **_each(
        "AESMIE",
        "26 othermedicallyimportantcondition othermedicallyimportantevent medicallyimportant "
        "medicallysignificant c82521 requirespreventimpairment requiredintervention "
        "requiredinterventiontopreventpermanentimpairmentordamage seriousrequirespreventimpairment "
        "requiredinterventiontopreventpermanentimpairmentordamagedevices ",
    ),
}


def criterion_of(word: Word) -> str | None:
    """The column of the criterion of seriousness that a word says."""
    return _CRITERIA.get(squeezed(word.text))


_SERIOUS: Final = {
    **_each("Y", "serious yes true y grave c41335 sae "),
    **_each("N", "nonserious notserious no false n nongrave "),
}


def serious_of(word: Word) -> str | None:
    """Whether a word says serious; those of R4 that name the criterion say it as well."""
    plain = squeezed(word.text)
    return _SERIOUS.get(plain) or ("Y" if plain in _CRITERIA and plain.startswith("serious") else None)


_CAUSALITY: Final[dict[str, CausalityWord]] = {
    **_each("certain", "certain definite definitelyrelated definitely verylikely "),
    **_each("probable", "probable probablylikely probably probablyrelated likely c53259 "),
    **_each("possible", "possible possibly possiblyrelated c53258 "),
    **_each("related", "related suspected reasonablepossibility c53260 relatedadverseevent yes lie imputable "),
    **_each("unlikely", "unlikely unlikelyrelated improbable remote c53257 doubtful "),
    **_each(
        "unrelated",
        "unrelated notrelated notsuspected noreasonablepossibility c53256 nonlie exclu definitelynotrelated ",
    ),
    **_each("conditional", "conditional conditionalclassified conditionalunclassified "),
    **_each(
        "unclassifiable",
        "unclassifiable unassessable unassessableunclassifiable notassessable unassessible unknown "
        "notassessed undetermined cannotbeassessed ",
    ),
    **_each("not-applicable", "notapplicable "),
}
#: From the worst: related in some degree, then what settles nothing, then what says no. Of several answers the first counts.
CAUSALITY_BY_WEIGHT: Final[tuple[CausalityWord, ...]] = (
    "certain", "related", "probable", "possible", "unclassifiable", "conditional", "not-applicable", "unlikely", "unrelated",
)  # fmt: skip
SAYS_NO: Final = frozenset({"not-applicable", "unlikely", "unrelated"})


def causality_of(word: Word) -> CausalityWord | None:
    """The answer on causality that a word says."""
    return _CAUSALITY.get(squeezed(word.text))


#: SNOMED's specimens, as far as FHIR's examples and national guides use them.
_SNOMED_SPECIMENS: Final = {
    **_each("BLOOD", "119297000 258580003 122554006 122555007 122552005 445295009 87612001 "),
    **_each("SERUM", "119364003 67922002 "),
    **_each("PLASMA", "119361006 50863008 "),
    **_each("URINE", "122575003 78014005 258574006 "),
    **_each("CSF", "258450006 65216001 "),
    **_each("OTHER FLUID", "119339001 119342007 119334006 418564007 309201001 119323008 "),
}
#: HL7 v2 table 0487 and its predecessor, of which laboratories still send the short words.
_V2_SPECIMENS: Final = {
    "bld": "BLOOD",
    "bldv": "BLOOD",
    "blda": "BLOOD",
    "bldc": "BLOOD",
    "wb": "BLOOD",
    "bldco": "OTHER FLUID",
    "ser": "SERUM",
    "serplas": "SERUM",
    "plas": "PLASMA",
    "pls": "PLASMA",
    "plb": "PLASMA",
    "ur": "URINE",
    "urine": "URINE",
    "csf": "CSF",
}
_CDISC_SPECIMENS: Final = {
    "blood": "BLOOD", "serum": "SERUM", "plasma": "PLASMA", "urine": "URINE", "csf": "CSF", "other": "OTHER FLUID",
}  # fmt: skip


def specimen_of(word: Word) -> str | None:
    """The specimen that a code or a text says."""
    plain = squeezed(word.text)
    known = _SNOMED_SPECIMENS.get(plain) or _V2_SPECIMENS.get(plain)
    if known is not None:
        return known
    return specimen_in(word.text) or None


def specimen_in(text: str) -> str:
    """The specimen that is named in a text, such as the display of a LOINC code; ``""`` where none is."""
    named = specimen_named(text)
    return _CDISC_SPECIMENS[named] if named is not None else ""


#: The reasons for an absent value that say that nothing was measured.
NOT_DONE: Final = frozenset(
    {"notperformed", "notapplicable", "notasked", "askeddeclined", "notpermitted", "notdone", "cancelled"}
)
#: Categories under which servers file laboratory results: HL7's observation categories, v2 table 0074, LOINC.
LABORATORY: Final = frozenset(
    {"laboratory", "lab", "labs", "labor", "laboratoire", "laboratories", "laboratorystudies", "laboratoryobservation"}
    | {"laboratoryprocedure", "laboratorytest", "clinicallaboratory", "264366"}
    | {
        "hm",
        "ch",
        "hem",
        "chem",
        "hematology",
        "haematology",
        "chemistry",
        "coag",
        "coagulation",
        "biochemistry",
        "biology",
    }
    | {"biologie", "108252007"}
)
