"""What of a file is not read, and what of the mapping is not in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pydantic import BaseModel

from services.files.rows import DataSet, Row
from services.importers.columns import MappingSection, is_column_field
from services.importers.consumed import Left, UnreadColumns, shown
from services.importers.mapping import Domain
from services.importers.study import Study

#: What SDTM has beside what an event needs, left out knowingly: identifiers and groupings, days counted from a reference,
#: the standardised copies of results, the hierarchy above a preferred term, and how a dose was given.
KNOWN: Final = re.compile(
    r"STUDYID|DOMAIN|SUBJID|SITEID|INVID|INVNAM|COUNTRY|EPOCH|TAETORD|VISIT|VISITNUM|VISITDY|.*SEQ"
    r"|..(?:GRPID|REFID|SPID|LNKID|LNKGRP|DY|STDY|ENDY|DUR|TPT|TPTNUM|TPTREF|ELTM|RFTDTC|EVLINT|CAT|SCAT|LOC|NAM|METHOD)"
    r"|LB(?:TEST|STRES[CNU]|STNR(?:LO|HI|C)|NRIND|BLFL|LOBXFL|DRVFL|TOX|TOXGR|REASND|CLSIG|ORREF|STREFC|ENDTC)"
    r"|AE(?:LLT|LLTCD|HLT|HLTCD|HLGT|HLGTCD|BODSYS|BDSYCD|SOC|SOCCD|MODIFY|TRTEM|RELNST|ACNOTH|CONTRT|PATT|TOX)"
    r"|EX(?:DOSFRM|DOSFRQ|DOSTXT|DOSRGM|ROUTE|LOT|VAMT|VAMTU|ADJ|FAST|DIR|LAT)"
    r"|RF(?:ST|EN|XST|XEN|PEN|CST|CEN)DTC|AGE|AGEU|AGETXT|RACE|ETHNIC|ARM|ACTARM|ARMCD|ACTARMCD|ARMNRS|ACTARMUD"
)


class _Unused(NamedTuple):
    """A row, as far as nothing reads it."""

    values: Mapping[str, str]
    columns: tuple[str, ...]

    def left(self) -> Iterator[Left]:
        """The columns that have a value."""
        return (Left(name, shown(value)) for name in self.columns if (value := self.values[name]).strip())


class UnusedColumns:
    """The columns of one file that nothing reads, and that are not left out knowingly: told where they have a value."""

    def __init__(self, study: Study, domain: Domain, data: DataSet) -> None:
        section: MappingSection = getattr(study.mapping, domain.lower())
        named = {*_texts(section), *_texts(study.mapping.subject), *study.mapping.left_out.get(domain, ())}
        self._columns = tuple(name for name in data.columns if name not in named and not KNOWN.fullmatch(name))
        self._report = study.report
        self._found = UnreadColumns(data.file)

    def add(self, row: Row, *, urgent: bool) -> None:
        """Count what a row has in them. ``urgent``: the row matters as a whole, and each of them is told."""
        if self._columns:
            self._found.add(self._report, row.number, _Unused(row.values, self._columns), urgent=urgent)

    def tell(self) -> None:
        """A line for each, with the number of rows."""
        self._found.tell(self._report)


def tell_columns(study: Study, domain: Domain, data: DataSet) -> None:
    """A line for each column that the mapping names and the file lacks."""
    section: MappingSection = getattr(study.mapping, domain.lower())
    for key, columns in _named(section):
        if columns and not set(columns) & set(data.columns):
            message = f"named in the mapping ({domain.lower()}.{key}), and not in the file"
            study.report.file_note(data.file, "", ",".join(columns), message)


def _named(section: MappingSection) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keys that the mapping file itself sets, each with the columns that it names."""
    for key in sorted(section.model_fields_set):
        value = getattr(section, key)
        if is_column_field(section, key):
            yield key, tuple(_texts(value))
        elif key in ("causality", "action"):
            yield from ((key, entry.column) for entry in value)
        elif key == "seriousness":
            yield from ((f"{key}.{criterion}", columns) for criterion, columns in value.items())


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
