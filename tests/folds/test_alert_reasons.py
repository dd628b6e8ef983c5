"""What an alert gives as its reasons when it is withdrawn."""

from __future__ import annotations

from events.alert import AlertData
from projections.folds.findings import SubjectFindings
from projections.protocols.isi_jx import PROTOCOL
from tests.files.writing import FR01, Json
from tests.folds.charts import decoded

ONGOING = {"grade": 3, "onset": "2017-02-20T10:00:00Z", "end": ..., "ongoing": True}


def told(events: list[Json]) -> list[tuple[str, AlertData]]:
    subject = SubjectFindings(PROTOCOL, "FR01-001")
    found: list[tuple[str, AlertData]] = []
    for logged in map(decoded, [*FR01.treated(), *events]):
        found += [(kind, data) for kind, _, _, data in subject.take(logged.event, logged.time, logged.time)]
    return found


def test_what_went_back_to_the_watch_list_was_not_overruled() -> None:
    """Life-threatening was entered in error: what is left is a countdown, which nobody has ruled on."""
    events = [
        FR01.ae(data={**ONGOING, "seriousness": ["life-threatening"]}, time="2017-02-21T00:00:00Z"),
        FR01.ae(data={**ONGOING, "revision": 2}, time="2017-02-22T00:00:00Z"),
    ]
    (raised, _), (withdrawn, data) = told(events)
    assert (raised, withdrawn) == ("raised", "withdrawn")
    assert data.verdict == "watch"
    (reason,) = data.reasons
    assert reason.startswith("DLT-2 watch: grade 3; ")
    assert "overruled" not in reason.lower()


def test_a_long_term_makes_no_alert_that_the_contract_refuses() -> None:
    """A reason quotes the term, which may be as long as a text can be: it is cut, and the subject goes on being watched."""
    (kind, data) = told([FR01.ae(data={"grade": 3, "term": "x" * 2000, "organs": None, "immune_related": None})])[-1]
    assert kind == "raised"
    assert max(map(len, [*data.reasons, *data.questions])) <= 2000
