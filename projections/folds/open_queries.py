"""Every open question about a subject, with the record or the case that it is about, and the site that can answer it.

A question is open as long as the facts leave it open: the event that answers it closes it, and nothing is kept of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from projections.folds.chart_queries import chart_queries
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.finding import Finding


class OpenQuery(NamedTuple):
    """One open question. ``record`` is a record (``lab:L-7``) or a case (``ae:AE-1``); ``site`` None: not on record."""

    subject: str
    site: str | None
    record: str
    question: str

    def as_json(self) -> dict[str, str]:
        """The entry in ``assess``'s JSON."""
        return {"subject": self.subject, "record": self.record, "question": self.question}


class QueryChanges(NamedTuple):
    """What an event did to the questions about a subject."""

    opened: list[OpenQuery]
    closed: list[OpenQuery]


def open_queries(chart: SubjectChart, cases: Iterable[tuple[str, Iterable[str]]]) -> list[OpenQuery]:
    """Every question of one subject once: what the records ask, and what the cases do that stand, each with its questions."""
    subject, site = chart.facts.subject, _site(chart)
    return list(dict.fromkeys(OpenQuery(subject, site, record, question) for record, question in _asked(chart, cases)))


def asked_by(findings: Iterable[Finding]) -> list[tuple[str, Iterable[str]]]:
    """The cases that stand, each with what it asks."""
    return [(finding.case, finding.questions) for finding in findings]


def changes(before: Iterable[OpenQuery], after: Iterable[OpenQuery]) -> QueryChanges:
    """The questions that came, and those that were answered, in the order in which they were asked."""
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    return QueryChanges([query for query in new if query not in old], [query for query in old if query not in new])


def _asked(chart: SubjectChart, cases: Iterable[tuple[str, Iterable[str]]]) -> Iterator[tuple[str, str]]:
    for query in chart_queries(chart):
        yield query.record, query.question
    for case, questions in cases:
        for question in questions:
            yield case, question


def _site(chart: SubjectChart) -> str | None:
    """The site that enrolled the subject, else the one that its id names."""
    enrolment = chart.facts.enrolment
    if enrolment is not None:
        return enrolment.event.site
    named = re.fullmatch(chart.facts.protocol.subject_pattern, chart.facts.subject)
    return named.groupdict().get("site") if named is not None else None
