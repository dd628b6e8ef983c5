"""DM: who takes part, at which dose level; and who died, where DS does not say it."""

from __future__ import annotations

from services.files.rows import Row
from services.importers.drafts import REVISION, EventDraft
from services.importers.mapping import Arm, arm_of
from services.importers.moments import Moment
from services.importers.reading import RowReading
from services.importers.study import Study

ENROLLED = "enrolled"


def subject_enrolled(row: Row, study: Study) -> list[EventDraft]:
    """A row of DM as ``subject.enrolled``. A death in it is kept until DS has been read."""
    study.learn_site(row)
    reading = RowReading(row, study)
    columns = study.mapping.dm
    # Before anything can refuse the row: a death counts even where the enrolment is in doubt.
    death = _death(reading)
    if death is not None:
        study.deaths.setdefault(reading.subject, death)
    enrolled = reading.required_date(columns.enrolled, "date of enrolment; the mapping can name another (dm.enrolled)")
    study.enrolled.setdefault(reading.subject, enrolled)
    arm = _arm(reading)
    birth = reading.date(columns.birth)
    data = {
        REVISION: 1,
        "part": arm.part,
        "dose_level": arm.dose_level,
        ENROLLED: enrolled.text,
        "sex": reading.word(columns.sex, study.mapping.codes.sex),
        # The year only: no rule needs more, and a birth date identifies.
        "birth_year": None if birth is None else int(birth.text[:4]),
        "liver_metastases": reading.flag(columns.liver_metastases),
        "time_zone": study.mapping.time_zones.get(reading.site),
        "protocol_version": reading.text(columns.protocol_version),
    }
    return [reading.draft("DM", "subject.enrolled", "", data, [enrolled], columns.update)]


def _arm(reading: RowReading) -> Arm:
    columns, mapping = reading.study.mapping.dm, reading.study.mapping
    column, word = reading.row.pick(columns.arm)
    arm = arm_of(mapping, word) if word else Arm()
    if arm is None:
        reading.unmapped(column, word, "not an arm of the mapping: no part, no dose level")
        return Arm()
    return arm


def _death(reading: RowReading) -> EventDraft | None:
    columns = reading.study.mapping.dm
    date: Moment | None = reading.date(columns.death)
    if date is None and not reading.text(columns.death) and not reading.flag(columns.died):
        return None
    data = {REVISION: 1, "scope": "study", "date": None if date is None else date.text, "reason": "death"}
    dates = [] if date is None else [date]
    return reading.draft("DM", "subject.discontinued", "study", data, dates, columns.update, may_be_undated=True)
