"""An import from beginning to end: files in, events and a report out.

Rows that can be revisions of one record are collected file by file; laboratory results, which can be millions, are
written as they are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from services.files.rows import DataSet, Defect, FileRefusedError, Row, RowRefusedError
from services.importers.adverse_events import adverse_event_reported, is_urgent
from services.importers.consumed import may_be_severe
from services.importers.datasets import ORDER, Kind, Source, find_inputs, open_data_set
from services.importers.deferred import DISCONTINUED, deferred
from services.importers.demographics import subject_enrolled
from services.importers.disposition import subject_discontinued
from services.importers.drafts import REVISION, EventDraft, number, revisions
from services.importers.events import DraftWriter, Validator
from services.importers.exposure import treatment_administered
from services.importers.fhir.collection import FhirImport
from services.importers.fhir.columns import fhir_mapping
from services.importers.fhir.reading import ENTERED_IN_ERROR, VERSION
from services.importers.laboratory import lab_resulted
from services.importers.losses import matters
from services.importers.mapping import Domain, Mapping
from services.importers.protocol_file import protocol_of
from services.importers.report import ImportReport
from services.importers.retractions import retracted
from services.importers.same_record import settle
from services.importers.severity_course import continue_course
from services.importers.study import Study
from services.importers.unread import UnusedColumns, tell_columns
from services.importers.visits import visit_recorded

Progress = Callable[[str, int], None]
Make = Callable[[Row, Study], list[EventDraft]]

MAKERS: Final[dict[Domain, Make]] = {
    "DM": subject_enrolled,
    "EX": treatment_administered,
    "SV": visit_recorded,
    "AE": adverse_event_reported,
    "DS": subject_discontinued,
    "LB": lab_resulted,
}
STREAMED: Final[frozenset[Domain]] = frozenset({"LB"})
PROGRESS_ROWS: Final = 2000


@dataclass
class Summary:
    """What came of an import, file by file; and the protocol's configuration, where the mapping says enough for one."""

    rows: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    time_estimated: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    urgent: int = 0
    protocol: dict[str, object] | None = None


def import_study(
    kind: Kind,
    path: Path,
    mapping: Mapping,
    out: BinaryIO,
    report: ImportReport,
    progress: Progress | None = None,
) -> Summary:
    """Write the events of the data sets at ``path`` to ``out``, one a line, and whatever else there is to ``report``.

    Raises :class:`services.files.rows.ImportFailedError` where a file cannot be read; what was written until then
    is valid, and incomplete.
    """
    if kind == "fhir":
        return _import_fhir(path, fhir_mapping(mapping), out, report, progress)
    inputs = find_inputs(kind, path, mapping)
    study = Study(mapping, report)
    running = _Import(study, out, progress or _no_progress)
    for unread in inputs.unread:
        report.left_over(unread.path.name, None, "", "", unread.reason, urgent=unread.urgent, action="note")
    _note_assumptions(study, inputs.sources[0].path.parent.name)
    if inputs.sites_from is not None:
        running.learn_sites(open_data_set(kind, inputs.sites_from.path, mapping, inputs.sites_from.member))
    for domain in ORDER:
        if domain in STREAMED:
            running.write_deferred()
        sources = [source for source in inputs.sources if source.domain == domain]
        running.read(domain, _opened(kind, sources, mapping, report))
    return running.finish()


def _opened(kind: Kind, sources: list[Source], mapping: Mapping, report: ImportReport) -> Iterator[DataSet]:
    """The data sets one after the other. One that cannot be read as it stands is told, and the others are read."""
    for source in sources:
        try:
            yield open_data_set(kind, source.path, mapping, source.member)
        except FileRefusedError as refused:
            report.defect(Defect(source.path.name, 0, "", "", str(refused)))


def _import_fhir(
    path: Path, mapping: Mapping, out: BinaryIO, report: ImportReport, progress: Progress | None
) -> Summary:
    """The same for FHIR, whose resources are all read before the first event: each may be needed to understand another."""
    resources = FhirImport(path, mapping)
    running = _Import(Study(mapping, report), out, progress or _no_progress, streamed=frozenset())
    _note_assumptions(running.study, resources.name)
    for domain in resources.read(report):
        running.read(domain, [resources.data_set(domain)])
    running.write_deferred()
    return running.finish()


class _Import:
    def __init__(self, study: Study, out: BinaryIO, progress: Progress, streamed: frozenset[Domain] = STREAMED) -> None:
        self.study = study
        self._streamed = streamed
        #: Resources have versions of their own; rows of one id are settled among each other.
        self._tabular = bool(streamed)
        #: The results seen, by a number each: a million of their names would be too many.
        self._results: set[int] = set()
        self.summary = Summary()
        self._out = out
        self._progress = progress
        self._writer = DraftWriter(study)
        self._validator: Validator | None = None
        #: The last revision of each record that was written, the laboratory's apart.
        self._written: dict[tuple[str, str, str], int] = {}

    def learn_sites(self, data: DataSet) -> None:
        """Read a DM for its sites alone."""
        self.study.begin_file(data)
        for row in data.rows():
            if isinstance(row, Row):
                self.study.learn_site(row)
        message = "read for the sites of the subjects alone: its own rows are not imported"
        self.study.report.file_note(data.file, "", "", message)

    def read(self, domain: Domain, files: Iterable[DataSet]) -> None:
        """The files of a domain: their rows become drafts, the drafts events."""
        drafts: Iterable[EventDraft] = chain.from_iterable(self._of_file(domain, data) for data in files)
        how = self.study.mapping.revisions
        if domain in self._streamed:
            for draft in drafts:
                self._name_apart(draft)
                number(draft, how, 0)
                self._write(draft)
            return
        by_day = domain == "AE" and self.study.mapping.ae.grade_is == "current"
        follow = continue_course if by_day else _follow_nothing
        found: Iterable[EventDraft] = drafts
        if self._tabular:
            drafts = list(drafts)
            for draft in drafts:
                draft.known_by(self.study.latest)
            found = settle(drafts, domain, by_day=by_day, tell=self._urgent, note=self._remark)
        for draft in revisions(found, how, follow, self._remark):
            self._write(draft)

    def _of_file(self, domain: Domain, data: DataSet) -> Iterator[EventDraft]:
        self.study.begin_file(data)
        tell_columns(self.study, domain, data)
        for name, value, message in data.notes:
            urgent = may_be_severe(name)
            self.study.report.left_over(data.file, None, name, value, message, urgent=urgent, action="note")
        yield from self._drafts(domain, data)
        self.study.report.end_file(data.file)

    def _name_apart(self, draft: EventDraft) -> None:
        """A result that has the id of another, and no time of update that would make it its revision, is a result of its own."""
        columns = self.study.id_columns(self.study.mapping.lb.id)
        if draft.update is not None or len(columns) > 1:
            return
        seen = hash((draft.subject, draft.record))
        if seen in self._results:
            said = "\0".join(draft.row.values.values()).encode("utf-8", "surrogatepass")
            draft.record = draft.data["lab_id"] = f"{draft.record}.{blake2b(said, digest_size=4).hexdigest()}"
            self._remark(draft, f"the same id as another result: a record of its own, {draft.record}")
        self._results.add(seen)

    def write_deferred(self) -> None:
        """What had to wait for everything else: deaths of DM, and rows without any date."""
        for draft, before in deferred(self.study, self._written):
            number(draft, self.study.mapping.revisions, before)
            self._write(draft)

    def finish(self) -> Summary:
        """The counts, which close the report as well."""
        summary, report = self.summary, self.study.report
        kinds = {
            "refused": summary.refused,
            "unmapped": summary.unmapped,
            "time-estimated": summary.time_estimated,
            "note": summary.notes,
        }
        for (file, action), count in report.counts.items():
            kinds[action][file] = count
        for file in summary.rows:
            for name, counts in {"rows": summary.rows, "events": summary.events, **kinds}.items():
                report.summary(file, name, counts[file])
        summary.urgent = report.urgent
        summary.protocol = protocol_of(self.study)
        return summary

    def _drafts(self, domain: Domain, data: DataSet) -> Iterator[EventDraft]:
        make, file, rows = MAKERS[domain], data.file, 0
        unused = UnusedColumns(self.study, domain, data) if self._tabular else None
        for row in data.rows():
            if isinstance(row, Defect):
                self.study.report.defect(row)
                self.summary.rows[row.file] += row.number > 0
                continue
            rows += 1
            self.summary.rows[row.file] += 1
            if unused is not None:
                unused.add(row, urgent=domain == "AE" and is_urgent(row, self.study))
            try:
                drafts = self._made(make, row)
            except RowRefusedError as refused:
                self.study.report.refuse(row, refused, urgent=matters(domain, row, self.study))
                continue
            self.study.undated += [draft for draft in drafts if draft.undated]
            for draft in drafts:
                if not draft.undated:
                    yield draft
            if rows % PROGRESS_ROWS == 0:
                self._progress(file, rows)
        if unused is not None:
            unused.tell()
            if not rows:
                self.study.report.file_note(file, "", "", "no row can be read: is the file complete?")
        self._progress(file, rows)

    def _made(self, make: Make, row: Row) -> list[EventDraft]:
        if self._tabular:
            return make(row, self.study)
        drafts = (retracted if row.values.get(ENTERED_IN_ERROR) else make)(row, self.study)
        for draft in drafts:
            draft.version = int(row.values.get(VERSION) or 0)
        return drafts

    def _write(self, draft: EventDraft) -> None:
        if self._validator is None:
            self._validator = Validator(self.study.contract())
        line = self._writer.line(draft)
        refused = self._validator.validate(line)
        if refused is not None:
            error = RowRefusedError(refused.field, "", refused.error)
            urgent = draft.urgent or matters(draft.kind, draft.row, self.study)
            self.study.report.refuse(draft.row, error, urgent=urgent)
            return
        self._out.write(line + b"\n")
        self.summary.events[draft.row.file] += 1
        self.summary.types[draft.type] += 1
        if draft.kind not in STREAMED:
            self._written[draft.type, draft.subject, draft.record] = int(draft.data[REVISION])
        if draft.type == DISCONTINUED and draft.record == "study":
            self.study.ends[draft.subject] = draft

    def _urgent(self, draft: EventDraft, message: str) -> None:
        self.study.report.unmapped(draft.row, "", "", message, urgent=True)

    def _remark(self, draft: EventDraft, message: str) -> None:
        self.study.report.note(draft.row, "", "", message)


def _no_progress(file: str, rows: int) -> None:
    """Nobody watches."""


def _follow_nothing(previous: EventDraft, draft: EventDraft) -> str:  # noqa: ARG001 - as the other does
    """A row stands for itself."""
    return ""


def _note_assumptions(study: Study, file: str) -> None:
    mapping = study.mapping
    if mapping.time_zone is None:
        study.report.file_note(
            file, "time_zone", "UTC", "the mapping names no time zone: local times are taken for UTC"
        )
    if not mapping.study_drugs:
        study.report.file_note(file, "drugs", "", "the mapping names no drugs: no row of EX can be imported")
