"""Whole imports: which files, whose rows, what is told of them, and the protocol that comes out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from services.files.rows import ImportFailedError, Row
from services.importers.mapping import Mapping
from services.importers.report import ImportReport, report_file
from services.importers.run import import_study
from services.trials.protocols import find_protocol
from tests.importers.studies import STUDY, Imported, csv_file, dataset_json, imported, one_file, xpt_file

DM = {"USUBJID": "S-1", "SITEID": "FR01", "RFICDTC": "2014-01-02", "DMDTC": "2014-01-02"}
AE = {"USUBJID": "S-1", "AESEQ": 1, "AETERM": "rash", "AESTDTC": "2014-01-05", "AETOXGR": "2"}
LB = {"USUBJID": "S-1", "LBSEQ": 1, "LBTESTCD": "ALT", "LBORRES": "40", "LBDTC": "2014-01-06"}


def _types(result: Imported) -> list[str]:
    return [event["type"].removeprefix("toxwatch.").removesuffix(".v1") for event in result.events]


def test_a_folder_is_imported_in_one_order(tmp_path: Path) -> None:
    """DM first, since it knows the sites; the laboratory last."""
    csv_file(tmp_path / "ae.csv", [AE])
    csv_file(tmp_path / "dm.csv", [{**DM, "DTHDTC": "2014-03-01"}])
    csv_file(tmp_path / "lb.csv", [LB])
    assert _types(imported("sdtm", tmp_path)) == [
        "subject.enrolled",
        "ae.reported",
        "subject.discontinued",
        "lab.resulted",
    ]


def test_the_three_formats_say_the_same(tmp_path: Path) -> None:
    """CSV, transport file and both kinds of Dataset-JSON."""
    text = {key: str(value) for key, value in AE.items()}
    csv_file(tmp_path / "ae.csv", [AE])
    xpt_file(tmp_path / "ae.xpt", "AE", [{**AE, "AESEQ": 1.0, "AETOXGR": "2"}])
    content = dataset_json("AE", [text])
    (tmp_path / "ae.json").write_text(json.dumps(content), encoding="utf-8")
    lines = [{key: value for key, value in content.items() if key != "rows"}, *content["rows"]]
    (tmp_path / "ae.ndjson").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    events = [
        imported("sdtm" if name in ("ae.csv", "ae.xpt") else "dataset-json", tmp_path / name).events
        for name in ("ae.csv", "ae.xpt", "ae.json", "ae.ndjson")
    ]
    assert len(events[0]) == 1
    assert events == [events[0]] * 4


def test_a_data_set_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    """And every file that is not read is told."""
    csv_file(tmp_path / "ae.csv", [AE])
    xpt_file(tmp_path / "ae.xpt", "AE", [{"USUBJID": "S-1"}])
    csv_file(tmp_path / "vs.csv", [AE])
    (tmp_path / "define.xml").write_text("<ODM/>", encoding="utf-8")
    result = imported("sdtm", tmp_path)
    notes = {line["file"]: line["message"] for line in result.lines if line["action"] == "note"}
    assert len(result.events) == 1
    assert "the same data set as ae.csv" in notes["ae.xpt"]
    assert "no domain that is imported" in notes["vs.csv"]
    assert "not a file of this kind" in notes["define.xml"]


def test_the_mapping_can_name_the_files(tmp_path: Path) -> None:
    """Several of one domain; one that is not there is told."""
    csv_file(tmp_path / "chemistry.csv", [LB])
    csv_file(tmp_path / "haematology.csv", [{**LB, "LBSEQ": 2, "LBTESTCD": "HGB"}])
    files = {"LB": ["chemistry.csv", "haematology.csv", "coagulation.csv"]}
    result = imported("sdtm", tmp_path, files=files)
    assert [data["test"] for data in result.data] == ["ALT", "HGB"]
    assert "it is not there" in next(line["message"] for line in result.lines if line["file"] == "coagulation.csv")
    assert len(imported("sdtm", tmp_path / "haematology.csv", files=files).events) == 1


def test_a_single_file_may_name_itself(tmp_path: Path) -> None:
    """Dataset-JSON and transport files do, whatever they are called."""
    xpt_file(tmp_path / "final.xpt", "AE", [{**AE, "AESEQ": 1.0}])
    assert _types(imported("sdtm", tmp_path / "final.xpt")) == ["ae.reported"]
    csv_file(tmp_path / "final.csv", [AE])
    with pytest.raises(ImportFailedError, match="FINAL is no domain"):
        imported("sdtm", tmp_path / "final.csv")


@pytest.mark.parametrize("name", ["", "nothing.csv", "ae.txt"])
def test_where_there_is_nothing_to_import_the_import_fails(tmp_path: Path, name: str) -> None:
    """An empty folder, no such file, another kind of file."""
    (tmp_path / "ae.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ImportFailedError):
        imported("sdtm", tmp_path / name)


def test_the_site_comes_from_dm(tmp_path: Path) -> None:
    """Also where a single file is imported: DM is then read for the sites alone."""
    csv_file(tmp_path / "dm.csv", [{**DM, "SITEID": "FR02"}])
    csv_file(tmp_path / "ae.csv", [AE])
    assert [event["site"] for event in imported("sdtm", tmp_path, site=None).events] == ["FR02", "FR02"]
    (event,) = imported("sdtm", tmp_path / "ae.csv", site=None).events
    assert (event["site"], event["source"]) == ("FR02", "urn:site:FR02:import")


def test_the_site_comes_from_the_subject_id_or_the_row(tmp_path: Path) -> None:
    """By the pattern's group, or the row's own column; all that is said must agree."""
    pattern = {"subject_pattern": "(?P<site>FR[0-9]{2})-[0-9]+", "site": None}
    rows = [{**AE, "USUBJID": "FR03-1"}, {**AE, "USUBJID": "FR03-2", "SITEID": "FR04"}]
    result = one_file(tmp_path, "ae", *rows, **pattern)
    assert [event["site"] for event in result.events] == ["FR03"]
    assert result.told("refused") == [(2, "SITEID", "FR04")]
    assert "FR04 (in the row), FR03 (in the subject id)" in result.message("refused")


def test_a_row_without_a_site_is_refused(tmp_path: Path) -> None:
    """A site is never made up."""
    assert one_file(tmp_path, "ae", AE, site=None).told("refused") == [(1, "SITEID", "")]


def test_a_site_is_quoted_in_its_source(tmp_path: Path) -> None:
    """A URI has no spaces."""
    (event,) = one_file(tmp_path, "ae", {**AE, "SITEID": "Lyon 1/a"}, site=None).events
    assert (event["site"], event["source"]) == ("Lyon 1/a", "urn:site:Lyon%201%2Fa:import")


def test_a_subject_id_may_be_joined(tmp_path: Path) -> None:
    """Of site and number, for studies whose numbers are the site's."""
    subject = {"id": "SITEID+SUBJID", "join": "."}
    (event,) = one_file(tmp_path, "ae", {**AE, "SITEID": "5", "SUBJID": "0496"}, subject=subject).events
    assert event["subject"] == "5.0496"


@pytest.mark.parametrize("subject", ["DUPONT Jean", "x" * 41, "-1"])
def test_a_subject_id_that_is_none_is_masked(tmp_path: Path, subject: str) -> None:
    """It may be a name."""
    result = one_file(tmp_path, "ae", {**AE, "USUBJID": subject})
    assert result.told("refused") == [(1, "USUBJID", f"(masked, {len(subject)} characters)")]
    assert subject not in json.dumps(result.lines)


def test_without_a_trial_in_the_mapping_it_is_that_of_the_rows(tmp_path: Path) -> None:
    """One study a import; a row without one is refused."""
    rows = [{**AE, "STUDYID": study, "AESEQ": i} for i, study in enumerate(["ST-1", "ST-2", "", "ST-1"])]
    result = one_file(tmp_path, "ae", *rows, trial=None)
    assert [event["trial"] for event in result.events] == ["ST-1", "ST-1"]
    assert result.told("refused") == [(2, "STUDYID", "ST-2"), (3, "STUDYID", "")]


def test_rows_of_another_study_than_the_mappings_are_refused(tmp_path: Path) -> None:
    """Where the mapping says which study it is for."""
    result = one_file(tmp_path, "ae", {**AE, "STUDYID": "ST-2"}, study="ST-1")
    assert result.told("refused") == [(1, "STUDYID", "ST-2")]


def test_one_bad_row_stops_nothing(tmp_path: Path) -> None:
    """Nor does a row of the wrong length; both are refused, with their numbers."""
    path = csv_file(tmp_path / "ae.csv", [AE, {**AE, "AESEQ": 2, "AETERM": "a" * 2001}, {**AE, "AESEQ": 3}])
    path.write_text(path.read_text(encoding="utf-8") + "S-1,4\n", encoding="utf-8")
    result = imported("sdtm", path)
    assert [data["ae_id"] for data in result.data] == ["1", "3"]
    assert sorted(row or 0 for row, _, _ in result.told("refused")) == [2, 4]
    assert (result.summary.rows["ae.csv"], result.summary.events["ae.csv"], result.summary.refused["ae.csv"]) == (
        4,
        2,
        2,
    )


def test_the_wrong_count_of_a_dataset_json_file_counts_as_refused(tmp_path: Path) -> None:
    """Something may be missing, and nobody knows what."""
    path = tmp_path / "ae.json"
    path.write_text(json.dumps({**dataset_json("AE", [AE]), "records": 2}), encoding="utf-8")
    result = imported("dataset-json", path)
    assert (len(result.events), result.told("refused")) == (1, [(None, "records", "2")])


def test_columns_that_the_mapping_leaves_out_have_no_line(tmp_path: Path) -> None:
    """Of that domain only, and none of the others."""
    row = {**AE, "AETOXGR": "4", "AEFORM": "2", "AEOWN": "x"}
    result = one_file(tmp_path, "ae", row, left_out={"AE": ["aeform"], "LB": ["AEOWN"]})
    assert [field for _, field, _ in result.told("unmapped")] == ["AEOWN"]


def test_half_a_character_is_refused_by_the_codec(tmp_path: Path) -> None:
    """And can be reported."""
    path = tmp_path / "ae.json"
    content = json.dumps(dataset_json("AE", [{**AE, "AETERM": "TERM"}]))
    path.write_text(content.replace('"TERM"', '"\\ud800"'), encoding="utf-8")
    result = imported("dataset-json", path)
    assert (result.events, result.summary.refused.total()) == ([], 1)


def test_columns_that_are_not_read_or_not_there_are_told(tmp_path: Path) -> None:
    """So that a misspelt name in the mapping is found."""
    ae = {"outcome": "OUTCOME", "causality": [{"column": "RELATED"}], "seriousness": {"death": "DIED"}}
    rows = [
        {**AE, "AEOWN": "x", "DLTFL": "Y", "AELLT": "known"},
        {**AE, "AEOWN": ""},
        {**AE, "AETOXGR": "4", "AEOWN": "y"},
    ]
    lines = one_file(tmp_path, "ae", *rows, ae=ae).lines
    unread = {(line["row"], line["field"]): line["urgent"] for line in lines if "nothing reads this" in line["message"]}
    assert unread == {(None, "AEOWN"): False, (None, "DLTFL"): True, (3, "AEOWN"): True}
    told = {line["value"]: line["message"] for line in lines if "not in the file" in line["message"]}
    assert told == {
        "OUTCOME": "named in the mapping (ae.outcome), and not in the file",
        "RELATED": "named in the mapping (ae.causality), and not in the file",
        "DIED": "named in the mapping (ae.seriousness.death), and not in the file",
    }


def test_without_a_zone_and_drugs_the_report_says_what_that_means(tmp_path: Path) -> None:
    """Local times are taken for UTC; no administration, and no protocol."""
    result = one_file(tmp_path, "ae", AE, time_zone=None, drugs={}, placebo=[])
    assert {field for _, field, _ in result.told("note")} >= {"time_zone", "drugs"}
    assert result.events[0]["time"] == "2014-01-05T23:59:59+00:00"
    assert result.summary.protocol is None


def test_the_protocol_is_one_that_assess_takes(tmp_path: Path) -> None:
    """The clauses of ISI-JX over the study's own drugs."""
    summary = one_file(tmp_path, "ae", AE, name="example", title="An example").summary
    path = tmp_path / "protocol.json"
    path.write_text(json.dumps(summary.protocol), encoding="utf-8")
    protocol, base = find_protocol(str(path)), find_protocol("isi-jx")
    assert (protocol.name, protocol.trial, protocol.drugs) == ("example", "T-1", ("drug-a", "placebo"))
    assert (protocol.time_zone, protocol.title) == ("Europe/Paris", "An example")
    assert protocol.clauses == base.clauses


def test_the_report_is_a_table(tmp_path: Path) -> None:
    """CSV, or NDJSON by its name; the counts close it."""
    with report_file(tmp_path / "report.csv") as report:
        report.note(Row("ae.csv", 3, {}), "AEOUT", "a,\ud800", "something")
        report.summary("ae.csv", "rows", 7)
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        header, line, last = csv.reader(file)
    assert header == ["file", "row", "field", "value", "action", "urgent", "message"]
    assert line == ["ae.csv", "3", "AEOUT", "a,\\ud800", "note", "", "something"]
    assert last == ["ae.csv", "", "rows", "7", "summary", "", ""]
    with report_file(tmp_path / "report.ndjson") as report:
        report.summary("ae.csv", "rows", 7)
    assert json.loads((tmp_path / "report.ndjson").read_text(encoding="utf-8"))["value"] == "7"


def test_progress_is_told_while_a_file_is_read(tmp_path: Path) -> None:
    """Every so many rows, and at its end."""
    csv_file(tmp_path / "lb.csv", [{**LB, "LBSEQ": i} for i in range(4500)])
    seen: list[tuple[str, int]] = []
    mapping = Mapping.model_validate(STUDY)
    report = ImportReport(io.StringIO())
    import_study("sdtm", tmp_path, mapping, io.BytesIO(), report, lambda file, rows: seen.append((file, rows)))
    assert seen == [("lb.csv", 2000), ("lb.csv", 4000), ("lb.csv", 4500)]


def test_results_are_written_as_they_are_read(tmp_path: Path) -> None:
    """A million of them must not be held."""
    csv_file(tmp_path / "lb.csv", [{**LB, "LBSEQ": i} for i in range(2500)])
    out = io.BytesIO()
    written: list[int] = []
    mapping: Any = Mapping.model_validate(STUDY)
    import_study(
        "sdtm",
        tmp_path,
        mapping,
        out,
        ImportReport(io.StringIO()),
        lambda *_: written.append(out.getvalue().count(b"\n")),
    )
    assert written[0] >= 1999
