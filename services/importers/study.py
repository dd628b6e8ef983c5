"""What is known of the study while its files are read: whose row it is, at which site, in which time zone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

from events.acceptance import TrialContract
from events.envelope import SUBJECT_PATTERN
from events.faults import masked
from services.files.rows import DataSet, Row, RowRefusedError
from services.importers.drafts import EventDraft
from services.importers.mapping import Mapping
from services.importers.moments import Moment
from services.importers.report import ImportReport

UTC: Final = "UTC"
SPLIT: Final = re.compile(r"LB[A-Z0-9]{1,2}")


class RowSubject(NamedTuple):
    """The subject of a row, and its site."""

    subject: str
    site: str
    zone: str


class Study:
    """One import: the mapping, the report, and the sites that DM has named so far."""

    def __init__(self, mapping: Mapping, report: ImportReport) -> None:
        self.mapping = mapping
        self.report = report
        self.trial = mapping.trial
        #: Deaths that DM tells of, until DS has been read: DS knows better, where it says anything.
        self.deaths: dict[str, EventDraft] = {}
        #: The latest time of any event so far, as an instant and as text: until then, at least, the extract knows.
        self.latest: tuple[int, str] = (0, "")
        #: Of each subject the date of enrolment; its first and its later starts of treatment, as far as they are known.
        self.enrolled: dict[str, Moment] = {}
        self.starts: dict[str, list[Moment]] = {}
        #: Rows without any date, until the latest time is known.
        self.undated: list[EventDraft] = []
        #: The last end of study of each subject that was written.
        self.ends: dict[str, EventDraft] = {}
        self.columns: frozenset[str] = frozenset()
        #: What goes before the ids of results of a part of the laboratory data set that was split.
        self.part = ""
        self._pattern = re.compile(mapping.subject_pattern)
        self._plain = re.compile(SUBJECT_PATTERN)
        self._sites: dict[str, str] = {}
        self._known: dict[tuple[str, str], RowSubject] = {}
        self._subject_columns: tuple[str, ...] = ()
        self._id_columns: dict[tuple[tuple[str, ...], ...], tuple[str, ...]] = {}

    def begin_file(self, data: DataSet) -> None:
        """Rows of another file follow."""
        self.columns = frozenset(data.columns)
        # The numbers of a part of a split data set may begin again: LBHE.1 is not LBCH.1.
        self.part = f"{data.name}." if SPLIT.fullmatch(data.name) else ""
        self._id_columns.clear()
        self._subject_columns = self.id_columns(self.mapping.subject.id)

    def id_columns(self, alternatives: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
        """The first alternative all of whose columns the file has; nothing where it has none."""
        found = self._id_columns.get(alternatives)
        if found is None:
            found = next((columns for columns in alternatives if self.columns.issuperset(columns)), ())
            self._id_columns[alternatives] = found
        return found

    def who(self, row: Row) -> RowSubject:
        """The subject and site of a row. Raises :class:`RowRefusedError`."""
        self._check_study(row)
        subject = self.mapping.subject.join.join(row.values.get(c, "").strip() for c in self._subject_columns)
        _, site = row.pick(self.mapping.subject.site)
        who = self._known.get((subject, site))
        if who is None:
            who = self._known[subject, site] = self._identify(subject, site)
        return who

    def learn_site(self, row: Row) -> None:
        """Remember the site that a row of DM gives its subject."""
        try:
            who = self.who(row)
        except RowRefusedError:
            return
        self._sites.setdefault(who.subject, who.site)

    def source(self, site: str) -> str:
        """The source under which the site's rows are sent."""
        return self.mapping.source.replace("{site}", quote(site, safe=""))

    def contract(self) -> TrialContract:
        """What the codec has to know of the trial."""
        assert self.trial is not None
        return TrialContract(self.trial, self.mapping.subject_pattern, frozenset(self.mapping.study_drugs))

    def _check_study(self, row: Row) -> None:
        column, study = row.pick(self.mapping.subject.study)
        wanted = self.mapping.study
        if wanted is not None and study and study != wanted:
            raise RowRefusedError(column, study, f"another study; the mapping is for {wanted}")
        if self.mapping.trial is None:
            if not study:
                raise RowRefusedError(column, study, "no study, and no trial in the mapping")
            self.trial = self.trial or study
            if study != self.trial:
                raise RowRefusedError(column, study, f"another study than that of the first row, {self.trial}")

    def _identify(self, subject: str, row_site: str) -> RowSubject:
        field = "+".join(self._subject_columns or self.mapping.subject.id[0])
        if not subject.strip(self.mapping.subject.join):
            raise RowRefusedError(field, "", "no subject id")
        match = self._pattern.fullmatch(subject)
        if match is None or self._plain.fullmatch(subject) is None:
            raise RowRefusedError(field, masked(subject), "not a subject id of this trial")
        sites = {where: site for where, site in self._site_of(subject, row_site, match) if site}
        if not sites:
            rule = "no site: neither in the row nor in DM, and the mapping has no pattern or site that says it"
            raise RowRefusedError(",".join(self.mapping.subject.site), "", rule)
        if len(set(sites.values())) > 1:
            told = ", ".join(f"{site} ({where})" for where, site in sites.items())
            raise RowRefusedError(",".join(self.mapping.subject.site), row_site, f"the site is not one: {told}")
        site = next(iter(sites.values()))
        return RowSubject(subject, site, self.mapping.time_zones.get(site) or self.mapping.time_zone or UTC)

    def _site_of(self, subject: str, row_site: str, match: re.Match[str]) -> Iterator[tuple[str, str]]:
        yield "in the row", row_site
        yield "in the subject id", match.groupdict().get("site") or ""
        yield "in DM", self._sites.get(subject, "")
        if not row_site and subject not in self._sites and "site" not in match.groupdict():
            yield "in the mapping", self.mapping.site or ""
