"""Which column holds what, domain by domain. The defaults are the names of SDTM; a mapping file overrides them.

Where several columns are named, the first that has a value in the row counts. Names are compared in capitals.
The id of a record is different: the first alternative all of whose columns the file has is used for the whole file, and
``A+B`` joins two columns.
"""

from __future__ import annotations

import codecs
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from events.adverse_event import SeriousnessCriterion

#: With the byte order mark that some programs put before it.
UTF_8: Final = "utf-8-sig"


def _names(value: object) -> object:
    """One name or a list of them, in capitals."""
    if isinstance(value, str):
        return (value.strip().upper(),) if value.strip() else ()
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return tuple(name.strip().upper() for name in value)
    return value


def _ids(value: object) -> object:
    names = _names(value)
    if isinstance(names, tuple) and all(isinstance(name, str) for name in names):
        return tuple(tuple(part.strip() for part in name.split("+")) for name in names)
    return names


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name if name.lower() != "utf-8" else UTF_8
    except LookupError:
        raise ValueError(f"{name!r} is not an encoding that is known here") from None


Columns = Annotated[tuple[str, ...], BeforeValidator(_names)]
IdColumns = Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_ids)]


class MappingSection(BaseModel):
    """A section of a mapping file: nothing unknown is allowed in it, so that a misspelt key is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def is_column_field(section: MappingSection, key: str) -> bool:
    """Whether a key of a section names columns, rather than saying something else."""
    return any(
        isinstance(each, BeforeValidator) and each.func in (_names, _ids)
        for each in type(section).model_fields[key].metadata
    )


class TextFormat(MappingSection):
    """How CSV and transport files are written. ``missing``: words for "no value", beside an empty cell."""

    encoding: Annotated[str, AfterValidator(_encoding)] = UTF_8
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    missing: tuple[str, ...] = ()


class SubjectColumns(MappingSection):
    """Who a row is about: the id, the character between its parts where it is joined, and the site."""

    id: IdColumns = (("USUBJID",),)
    join: str = "-"
    site: Columns = ("SITEID",)
    study: Columns = ("STUDYID",)


class DemographicsColumns(MappingSection):
    """DM, one row a subject."""

    enrolled: Columns = ("RFICDTC",)
    update: Columns = ("DMDTC",)
    arm: Columns = ("ACTARMCD", "ARMCD")
    sex: Columns = ("SEX",)
    birth: Columns = ("BRTHDTC",)
    death: Columns = ("DTHDTC",)
    died: Columns = ("DTHFL",)
    liver_metastases: Columns = ()
    protocol_version: Columns = ()


class ExposureColumns(MappingSection):
    """EX, one row an administration or an interval of them."""

    id: IdColumns = (("EXSPID",), ("EXSEQ",))
    update: Columns = ()
    treatment: Columns = ("EXTRT",)
    start: Columns = ("EXSTDTC",)
    end: Columns = ("EXENDTC",)
    ongoing: Columns = ("EXENRTPT", "EXENRF")
    dose: Columns = ("EXDOSE",)
    dose_unit: Columns = ("EXDOSU",)
    occurred: Columns = ("EXOCCUR",)
    status: Columns = ("EXSTAT",)
    lesions: Columns = ()


class CausalityColumn(MappingSection):
    """One column of causality words: whose answer it is, and about what: a drug of the study, or one of the two below."""

    column: Columns
    party: Literal["investigator", "sponsor"] = "investigator"
    about: str = "study-treatment"


class ActionColumn(MappingSection):
    """One column of actions taken, and with which drug."""

    column: Columns
    about: str = "study-treatment"


class AdverseEventColumns(MappingSection):
    """AE. ``grade_is`` says what a row's grade is: the worst of the record so far, or the current one."""

    id: IdColumns = (("AESPID",), ("AELNKID",), ("AESEQ",))
    update: Columns = ("AEDTC",)
    term: Columns = ("AETERM",)
    term_language: str | None = None
    preferred_term: Columns = ("AEDECOD",)
    ctcae_term: Columns = ()
    meddra_code: Columns = ("AEPTCD",)
    meddra_version: str | None = None
    grade: Columns = ("AETOXGR",)
    severity: Columns = ("AESEV",)
    grade_is: Literal["worst", "current"] = "worst"
    onset: Columns = ("AESTDTC",)
    end: Columns = ("AEENDTC",)
    ongoing: Columns = ("AEENRTPT", "AEENRF")
    ongoing_at: Columns = ("AEENTPT",)
    outcome: Columns = ("AEOUT",)
    serious: Columns = ("AESER",)
    seriousness: dict[SeriousnessCriterion, Columns] = {
        "death": ("AESDTH",),
        "life-threatening": ("AESLIFE",),
        "hospitalisation": ("AESHOSP",),
        "disability": ("AESDISAB",),
        "congenital-anomaly": ("AESCONG",),
        "medically-important": ("AESMIE",),
    }
    other_criteria: Columns = ("AESCAN", "AESOD")
    causality: tuple[CausalityColumn, ...] = (CausalityColumn(column=("AEREL",)),)
    action: tuple[ActionColumn, ...] = (ActionColumn(column=("AEACN",)),)
    aware: Columns = ()
    sponsor_aware: Columns = ()
    continues: Columns = ()
    expected: Columns = ()
    immune_related: Columns = ()
    injection_site: Columns = ()
    flu_like: Columns = ()
    responded_to_therapy: Columns = ()


class DispositionColumns(MappingSection):
    """DS. Rows of another category than ``events`` are milestones, not ends."""

    update: Columns = ("DSDTC",)
    category: Columns = ("DSCAT",)
    events: tuple[str, ...] = ("DISPOSITION EVENT",)
    scope: Columns = ("DSSCAT", "EPOCH")
    reason: Columns = ("DSDECOD",)
    term: Columns = ("DSTERM",)
    date: Columns = ("DSSTDTC",)
    last_contact: Columns = ()


class VisitColumns(MappingSection):
    """SV. ``unplanned``: a column that is filled for visits that were not planned; ``unscheduled``: a pattern of names."""

    id: IdColumns = (("SVSPID",), ("VISITNUM",))
    update: Columns = ()
    name: Columns = ("VISIT",)
    date: Columns = ("SVSTDTC",)
    end: Columns = ("SVENDTC",)
    occurred: Columns = ("SVOCCUR",)
    unplanned: Columns = ("SVUPDES",)
    unscheduled: str = r"\bunscheduled\b"
    ecog: Columns = ()
    weight_kg: Columns = ()


class LabTest(MappingSection):
    """One test of the file: its CDISC code, and what the file leaves unsaid about it.

    ``unit``: the unit of all its results, where the file has no column for it; ``units``: what the file's own units are
    for this test; ``decimals``: to how many places the laboratory reports it, which takes off binary noise.
    """

    test: str | None = None
    unit: str | None = None
    units: dict[str, str] = Field({})
    decimals: Annotated[int, Field(ge=0, le=9)] | None = None
    specimen: Literal["blood", "serum", "plasma", "urine", "csf", "other"] | None = None


class LaboratoryColumns(MappingSection):
    """LB, one row a result: as it was reported, not in the study's standard units.

    ``specimen_implied``: a column that says the specimen for some of its words (URINALYSIS), and nothing by the others.
    """

    id: IdColumns = (("LBSEQ",),)
    update: Columns = ()
    test: Columns = ("LBTESTCD",)
    loinc: Columns = ("LBLOINC",)
    value: Columns = ("LBORRES",)
    unit: Columns = ("LBORRESU",)
    lln: Columns = ("LBORNRLO",)
    uln: Columns = ("LBORNRHI",)
    collected: Columns = ("LBDTC",)
    timepoint: Columns = ("LBTPT",)
    specimen: Columns = ("LBSPEC",)
    specimen_implied: Columns = ("LBCAT", "LBSCAT", "LBMETHOD", "LBTEST")
    status: Columns = ("LBSTAT",)
    fasting: Columns = ("LBFAST",)
    visit: IdColumns = (("VISITNUM",),)
    tests: dict[str, LabTest] = Field({})
    units: dict[str, str] = Field({})
