"""Resources that were entered in error: their records are taken back."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.files.rows import Row, RowRefusedError
from services.importers.drafts import REVISION, EventDraft
from services.importers.reading import RowReading
from services.importers.study import Study

REASON: Final = "entered in error"


class _Record(NamedTuple):
    """How a record of a domain is named, and taken back."""

    kind: str
    type: str
    name: str
    column: str
    update: str


_RECORDS: Final = (
    _Record("EX", "treatment.retracted", "administration_id", "EXSPID", "EXDTC"),
    _Record("SV", "visit.retracted", "visit_id", "SVSPID", "SVDTC"),
    _Record("AE", "ae.retracted", "ae_id", "AESPID", "AEDTC"),
    _Record("LB", "lab.retracted", "lab_id", "LBSPID", "LBRPTDTC"),
)


def retracted(row: Row, study: Study) -> list[EventDraft]:
    """The row as a retraction. It needs the time at which it was said: the record was recorded before."""
    reading = RowReading(row, study)
    record = next((each for each in _RECORDS if row.values.get(each.column)), None)
    if record is None:
        raise RowRefusedError("status", REASON, "an enrolment cannot be taken back")
    update = reading.instant((record.update,))
    if update is None:
        raise RowRefusedError("meta.lastUpdated", "", "entered in error, and it is not said when")
    named = row.values[record.column].strip()
    data = {record.name: named, REVISION: 1, "reason": REASON}
    return [reading.draft(record.kind, record.type, named, data, [], (record.update,))]
