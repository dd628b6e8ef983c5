"""The three public studies, with the mappings that come with Toxwatch."""

from __future__ import annotations

import gzip
import itertools
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from events.acceptance import TrialContract
from events.codec import Codec
from services.importers.datasets import Kind
from services.importers.mapping import load_mapping
from services.importers.report import ImportReport
from services.importers.run import import_study
from tests.importers.studies import Imported, imported_with

pytestmark = [pytest.mark.reference_data, pytest.mark.slow]


def _study(kind: Kind, path: Path, mapping: str) -> Imported:
    return imported_with(load_mapping(mapping), kind, path)


def _of(result: Imported, name: str) -> list[dict[str, Any]]:
    return [event for event in result.events if event["type"] == f"toxwatch.{name}.v1"]


def _records(events: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    records = defaultdict(list)
    for event in events:
        records[event["subject"], event["data"]["ae_id"]].append(event)
    return records


@pytest.fixture(scope="module")
def pilot(reference_data: Path) -> Imported:
    """The CDISC pilot study."""
    return _study("sdtm", reference_data / "sdtm-pilot", "cdisc-pilot")


def test_every_row_of_the_pilot_is_an_event(pilot: Imported) -> None:
    """And three deaths beside; nothing is refused."""
    assert dict(pilot.summary.rows) == {
        "dm.csv": 306,
        "ex.csv": 591,
        "sv.csv": 3559,
        "ae.csv": 1191,
        "lb.csv.gz": 59580,
    }
    assert pilot.summary.types == {
        "toxwatch.subject.enrolled.v1": 306,
        "toxwatch.subject.discontinued.v1": 3,
        "toxwatch.treatment.administered.v1": 591,
        "toxwatch.visit.recorded.v1": 3559,
        "toxwatch.ae.reported.v1": 1191,
        "toxwatch.lab.resulted.v1": 59580,
    }
    assert pilot.summary.refused.total() == 0
    # Cancer is a criterion of seriousness that the contract does not have.
    assert Counter(field for _, field, _ in pilot.told("unmapped")) == {"AESCAN": 4}


def test_the_pilots_file_of_adverse_events_is_a_stream_of_883(pilot: Imported) -> None:
    """Each a run of revisions without a gap, in the order of AEDTC; 26 rows have a partial onset."""
    events = _of(pilot, "ae.reported")
    records = _records(events)
    assert len(records) == 883
    for revisions in records.values():
        assert [event["data"]["revision"] for event in revisions] == list(range(1, len(revisions) + 1))
        assert [event["time"] for event in revisions] == sorted(event["time"] for event in revisions)
    assert sum(len(event["data"]["onset"]) < 10 for event in events) == 26


def test_the_pilots_severity_is_that_of_the_day(pilot: Imported) -> None:
    """It changes in 78 toxicities, of which 18 have it fall; the worst is kept."""
    final = [revisions[-1]["data"] for revisions in _records(_of(pilot, "ae.reported")).values()]
    changed = [data for data in final if "grades" in data]
    assert len(changed) == 78
    assert all(data["grade"] >= max(step["grade"] for step in data["grades"]) for data in changed)
    falls = [any(b["grade"] < a["grade"] for a, b in itertools.pairwise(data["grades"])) for data in changed]
    # Some fall in a row that was written after the end, which is no step.
    assert 0 < sum(falls) <= 18


def test_the_pilots_rows_that_are_older_than_their_dates(pilot: Imported) -> None:
    """205 rows have an end or an onset after AEDTC: their time is the end of that, and the report says so."""
    told = [line for line in pilot.lines if line["action"] == "time-estimated" and line["row"] is not None]
    # And the three deaths in DM, which is dated at screening.
    assert Counter(line["file"] for line in told) == {"ae.csv": 205, "dm.csv": 3}
    event = next(e for e in _of(pilot, "ae.reported") if (e["subject"], e["data"]["ae_id"]) == ("01-716-1418", "E05"))
    assert (event["data"]["onset"], event["data"]["end"]) == ("2013-07", "2013-09-26")
    assert event["time"] == "2013-09-26T23:59:59-04:00"


def test_the_pilots_results_keep_their_comparators(pilot: Imported) -> None:
    """Five bilirubins below 0.2 and a glucose below 40; urine is urine."""
    results = [event["data"] for event in _of(pilot, "lab.resulted")]
    assert Counter((data["test"], data["comparator"], data["value"]) for data in results if "comparator" in data) == {
        ("BILI", "<", 0.2): 5,
        ("GLUC", "<", 40): 1,
    }
    assert {data["test"] for data in results if data.get("specimen") == "urine"} == {
        *("COLOR", "KETONES", "PH", "SPGRAV", "UROBIL")
    }
    assert {data["unit"] for data in results if data["test"] == "K"} == {"mmol/L"}


def test_placebo_is_given_at_a_dose_of_zero(pilot: Imported) -> None:
    """Each interval once, at its start."""
    given = [event["data"] for event in _of(pilot, "treatment.administered")]
    assert Counter((data["drug"], data["status"]) for data in given) == {
        ("xanomeline", "given"): 365,
        ("placebo", "given"): 226,
    }
    assert sum(field == "EXENDTC" for _, field, _ in pilot.told("note")) == 584


def test_the_dataset_json_example(reference_data: Path) -> None:
    """18 subjects, sites from DM, half of the adverse events ongoing at a reference date."""
    result = _study("dataset-json", reference_data / "dataset-json", "dataset-json-example")
    assert dict(result.summary.events) == {
        "dm.json": 21,
        "ex.json": 1583,
        "sv.json": 164,
        "ae.json": 74,
        "lb.json": 3488,
    }
    assert result.summary.refused.total() == 0
    # The device that gave the doses: no event says it.
    assert result.told("unmapped") == [(None, "SPDEVID", "")]
    adverse_events = _of(result, "ae.reported")
    assert {event["site"] for event in adverse_events} <= {"701", "704", "708", "710", "711", "718"}
    assert sum(event["data"].get("ongoing", False) for event in adverse_events) == 35
    assert adverse_events[0]["time"] == "2013-05-20T23:59:59-04:00"
    unread = {line["file"] for line in result.lines if line["message"].endswith(": not read")}
    assert unread == {"ae.ndjson", "lb.ndjson", "i18n_ae.json"}


@pytest.mark.parametrize("domain", ["ae", "lb"])
def test_both_kinds_of_dataset_json_say_the_same(reference_data: Path, domain: str) -> None:
    """Event by event."""
    folder = reference_data / "dataset-json"
    events = [
        _study("dataset-json", folder / f"{domain}.{kind}", "dataset-json-example").events
        for kind in ("json", "ndjson")
    ]
    assert events[0] == events[1]


def test_terms_in_japanese(reference_data: Path) -> None:
    """The pilot's adverse events again, in another language and another format: the same records, the same terms coded."""
    result = _study("dataset-json", reference_data / "dataset-json" / "i18n_ae.json", "cdisc-pilot")
    assert (len(result.events), len(_records(result.events))) == (1191, 883)
    assert result.events[0]["data"]["term"] == "アプリケーションサイトの紅斑"
    assert result.events[0]["data"]["preferred_term"] == "APPLICATION SITE ERYTHEMA"


@pytest.fixture(scope="module")
def real(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """The anonymised trial, with the first 20,000 of its results."""
    folder = tmp_path_factory.mktemp("real-trial")
    for name in ("dm", "ex", "ae", "visits"):
        (folder / f"{name}.csv.gz").symlink_to(reference_data / "real-trial" / f"{name}.csv.gz")
    with gzip.open(reference_data / "real-trial" / "lb.csv.gz", "rb") as whole:
        (folder / "lb.csv.gz").write_bytes(gzip.compress(b"".join(itertools.islice(whole, 20_001))))
    return _study("sdtm", folder, "real-trial")


def test_the_real_trial(real: Imported) -> None:
    """Everything but 19 visits that have no date; two ends of exposure cannot be read."""
    assert dict(real.summary.events) == {
        "dm.csv.gz": 1301,
        "ex.csv.gz": 4876,
        "visits.csv.gz": 28074,
        "ae.csv.gz": 4854,
        "lb.csv.gz": 20000,
    }
    assert Counter(field for _, field, _ in real.told("refused")) == {"VISIT_DT": 19}
    assert real.told("unmapped") == [(3586, "EXEN_DT", "-----"), (3587, "EXEN_DT", "-----")]


def test_the_real_trials_adverse_events(real: Imported) -> None:
    """Graded in words, and recorded when they were last updated; the revision is that instant."""
    events = _of(real, "ae.reported")
    assert Counter(event["data"].get("grade") for event in events) == {1: 3717, 2: 1015, 3: 110, 4: 12}
    assert (events[0]["time"], events[0]["data"]["revision"]) == ("2015-02-20T07:55:55+00:00", 1424418955000)
    assert sum("onset" not in event["data"] for event in events) == 211


def test_the_real_trials_results_have_no_binary_noise(real: Imported) -> None:
    """Codes, units and decimals are the mapping's; none has more decimals than it says."""
    results = [event["data"] for event in _of(real, "lab.resulted")]
    assert all(len(str(data["value"])) <= 6 for data in results)
    assert {data["unit"] for data in results if data["test"] == "CACR"} == {"mmol/L"}
    assert [line for line in real.lines if line["file"] == "lb.csv.gz" and line["row"] is not None] == []


@pytest.mark.parametrize(
    ("kind", "folder", "mapping"),
    [
        ("dataset-json", "dataset-json", "dataset-json-example"),
        ("sdtm", "sdtm-pilot", "cdisc-pilot"),
    ],
)
def test_what_comes_out_is_a_log(reference_data: Path, tmp_path: Path, kind: Kind, folder: str, mapping: str) -> None:
    """Every line decodes, no id is there twice, and a second import gives the same bytes."""
    study = load_mapping(mapping)
    assert study.trial is not None
    contents = []
    for name in ("first", "second"):
        with (tmp_path / name).open("wb") as out, (tmp_path / "report").open("w", encoding="utf-8") as lines:
            protocol = import_study(kind, reference_data / folder, study, out, ImportReport(lines)).protocol
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert protocol is not None
    codec = Codec(TrialContract(study.trial, study.subject_pattern, frozenset(study.study_drugs)))
    decoded = [codec.decode(line).event for line in contents[0].splitlines()]
    ids = Counter((event.source, event.id) for event in decoded)
    assert max(ids.values()) == 1
