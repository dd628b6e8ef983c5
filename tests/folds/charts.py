"""Events, decoded and folded into a chart, a board or a trial; an event that is refused is a mistake of the test."""

from __future__ import annotations

from collections.abc import Iterable

from events.codec import Codec, Logged
from events.dates import Instant, parse_instant
from projections.folds.chart_queries import chart_queries
from projections.folds.cohort_board import CohortMembership, membership_of
from projections.folds.subject_chart import SubjectChart
from projections.folds.trial_projection import findings_of
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from tests.files.writing import Json, line

AS_OF = parse_instant("2017-04-01T00:00:00Z")
CODEC = Codec(PROTOCOL.contract)


def decoded(event: Json) -> Logged:
    return CODEC.decode(line(event))


def chart_of(events: Iterable[Json], protocol: TrialProtocol = PROTOCOL, subject: str = "FR01-001") -> SubjectChart:
    chart = SubjectChart(protocol, subject)
    for event in events:
        logged = decoded(event)
        chart.fold(logged.event, logged.time, logged.received)
    return chart


def standing(
    events: Iterable[Json], protocol: TrialProtocol = PROTOCOL, as_of: Instant = AS_OF
) -> CohortMembership | None:
    """How the subject of these events counts in its cohort."""
    chart = chart_of(events, protocol)
    return membership_of(chart, findings_of(chart, as_of))


def questions(events: Iterable[Json]) -> list[tuple[str, str]]:
    """What the chart asks by itself: record and question."""
    return [(query.record, query.question) for query in chart_queries(chart_of(events))]
