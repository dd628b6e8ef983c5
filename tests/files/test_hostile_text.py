"""Ids are the senders' own: brackets, line breaks, half characters. They are shown as they are and break nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.files.command_line import AS_OF, assess, explain, toxwatch
from tests.files.writing import FR01, Json, lines

RECORD_IDS = ["AE[1]", "AE[bold]1", "AE[/1]", "AE[/]", "AE[link=file:///etc]1", "AE :warning: 1", "ÆÉ-1", "日本-1"]


def story(ae_id: str) -> list[Json]:
    """The id in every place of the output: case, evidence, question, query and history."""
    first = {"grade": 3, "continues": f"{ae_id}x"}
    second = {"grade": 3, "onset": "2017-02-22", "end": "2017-02-28"}
    return [*FR01.treated(), FR01.ae(ae_id, data=first), FR01.ae(f"{ae_id}y", data=second)]


@pytest.mark.parametrize("ae_id", RECORD_IDS)
def test_a_table_shows_an_id_as_it_is(ae_id: str) -> None:
    """The terminal library's own markup and emoji codes included."""
    outcome = toxwatch("assess", "-", "--as-of", AS_OF, stdin=lines(story(ae_id)))
    assert outcome.code == 0
    assert f"│ ae:{ae_id} " in outcome.out
    assert f"FR01-001 ae:{ae_id}: It continues {ae_id}x, which is not on record" in outcome.words


@pytest.mark.parametrize("ae_id", RECORD_IDS)
def test_an_explanation_shows_an_id_as_it_is(ae_id: str) -> None:
    outcome = explain(story(ae_id), f"ae:{ae_id}")
    assert outcome.code == 0
    assert outcome.out.startswith(f"FR01-001 ae:{ae_id} as of ")
    assert f"by event FR01-001.ae.reported.{ae_id}y.r1" in outcome.words
    assert f"One toxicity in two rows ({ae_id} and {ae_id}y)?" in outcome.words


@pytest.mark.parametrize("ae_id", RECORD_IDS)
def test_json_has_an_id_as_it_is(ae_id: str) -> None:
    assert [case["case"] for case in assess(story(ae_id)).json["cases"]] == [f"ae:{ae_id}", f"ae:{ae_id}y"]


@pytest.mark.parametrize("written", ["\\ud800", "a\\u0000b", "a\\nb", "\\u001b[31mred"])
def test_the_id_of_a_refused_line_cannot_break_the_list(written: str) -> None:
    """One line a refusal, nothing that steers a terminal, and JSON that can be written."""
    outcome = assess([*FR01.treated(), FR01.ae(), b'{"id": "%b"}' % written.encode()])
    assert outcome.code == 2
    assert [row["line"] for row in outcome.json["refused"]] == [4]
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.rstrip("\n").isprintable()
    assert [case["case"] for case in outcome.json["cases"]] == ["ae:AE-1"]


def test_a_file_name_that_is_not_utf_8_can_be_told(tmp_path: Path) -> None:
    """Old archives have such names."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9v\xe9nements.ndjson")
    Path(path).write_bytes(lines([*FR01.treated(), FR01.ae(), b"{}"]))
    outcome = toxwatch("assess", path, "--as-of", AS_OF, "--format", "json")
    assert outcome.code == 2
    assert [row["line"] for row in json.loads(outcome.out)["refused"]] == [4]


def test_deep_nesting_is_refused_not_a_crash() -> None:
    for raw in (b"[" * 100_000, b'{"data":' * 30_000, b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"):
        outcome = assess([*FR01.treated(), raw, FR01.ae()])
        assert outcome.code == 2
        assert [row["line"] for row in outcome.json["refused"]] == [3]


def test_the_same_id_with_deep_or_huge_content_is_compared_all_the_same() -> None:
    """Integers beyond 2^53 have no canonical form; equal ones are a duplicate, others are not."""
    one, other = ({**FR01.ae("AE-2"), "big": number} for number in (2**60, 2**60 + 1))
    assert assess([one, one]).code == 0
    assert assess([one, {**one, "traceparent": "t"}]).code == 0
    assert assess([one, other]).code == 2
