"""Files as they arrive: any line end, none, too long, in another encoding, from a pipe. Nothing is dropped in silence."""

from __future__ import annotations

import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from events.codec import LINE_BYTES_MAX
from projections.protocols.isi_jx import PROTOCOL
from services.files.event_files import EventFiles
from services.files.intake import FileIntake
from tests.files.command_line import AS_OF, assess, toxwatch
from tests.files.writing import FR01, Json, line, lines

EVENTS = [*FR01.treated(), FR01.ae()]
PLAIN = lines(EVENTS)
MEGABYTE = 1024 * 1024


def judged(raw: bytes) -> Json:
    return toxwatch("assess", "-", "--as-of", AS_OF, "--format", "json", stdin=raw).json


def with_filling(event: Json, size: int) -> bytes:
    """The event at exactly ``size`` bytes, by texts of its own in ``x`` before everything else in its data."""
    filled = {**event, "data": {"x": {"texts": []}, **event["data"]}}
    missing = size - len(line(filled))
    texts = ["a" * 1996] * (missing // 2000)
    rest = missing - 2000 * len(texts)
    filled["data"]["x"]["texts"] = [*texts, "a" * (rest - 2)] if rest > 2 else texts
    short = size - len(line(filled))
    filled["data"]["x"]["texts"][-1] += "a" * short
    raw = line(filled)
    assert len(raw) == size
    return raw


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("CRLF", PLAIN.replace(b"\n", b"\r\n")),
        ("no final newline", PLAIN[:-1]),
        ("no final newline behind CRLF", PLAIN.replace(b"\n", b"\r\n")[:-2]),
        ("blank lines", b"\n\n" + PLAIN.replace(b"\n", b"\n\n") + b"\n \t \n\r\n"),
        ("spaces around the line", b"  " + PLAIN.replace(b"\n", b" \t\n  ")),
    ],
)
def test_line_ends_and_blank_lines_are_not_content(name: str, raw: bytes) -> None:
    assert judged(raw) == judged(PLAIN)


def test_a_refused_line_is_counted_as_an_editor_counts() -> None:
    """From 1, blank lines included."""
    assert [row["line"] for row in judged(b"\n\n" + PLAIN + b"\r\n{}\r\n")["refused"]] == [7]


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n \n"])
def test_an_empty_file_is_an_empty_log(raw: bytes) -> None:
    result = judged(raw)
    assert (result["events"], result["cases"], result["cohorts"], result["refused"]) == (0, [], [], [])


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("BOM", b"\xef\xbb\xbf" + PLAIN, "byte order mark; save the file as UTF-8 without it"),
        ("Latin-1", line(FR01.visit("2017-03-01", data={"name": "Entrée"})).decode().encode("latin-1"), "is not UTF-8"),
        ("UTF-16", line(FR01.visit("2017-03-01")).decode().encode("utf-16"), "is not UTF-8"),
        ("zero bytes", b"\0" * 100, "not valid JSON"),
    ],
)
def test_another_encoding_is_refused_with_the_way_out(name: str, raw: bytes, told: str) -> None:
    """Only the line that has it, and all others are judged: a BOM stands before the first event only."""
    rest = b"" if name == "BOM" else PLAIN
    result = judged(raw + b"\n" + rest)
    assert told in result["refused"][0]["error"]
    assert result["refused"][0]["line"] == 1
    assert len(result["refused"]) == 1
    assert [case["case"] for case in result["cases"]] == ["ae:AE-1"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_256_kib_are_taken_and_one_byte_more_is_refused(end: bytes) -> None:
    """The line end is not of the event."""
    for size, refused in ((LINE_BYTES_MAX, 0), (LINE_BYTES_MAX + 1, 1)):
        result = judged(PLAIN + with_filling(FR01.ae("AE-2"), size) + end)
        assert len(result["refused"]) == refused
        assert len(result["cases"]) == 2 - refused


def test_a_line_of_5_mb_is_refused_and_the_next_one_taken() -> None:
    """Its id is told, as far as it can be read."""
    result = judged(with_filling(FR01.ae("AE-2"), 5_000_000) + b"\n" + PLAIN)
    (refusal,) = result["refused"]
    assert (refusal["line"], refusal["id"]) == (1, FR01.ae("AE-2")["id"])
    assert "at most 262144 are taken for one event" in refusal["error"]
    assert [case["case"] for case in result["cases"]] == ["ae:AE-1"]


def test_a_long_lines_own_size_is_told() -> None:
    """Not that of the beginning which was kept: a data manager looks for the line by its size."""
    (refusal,) = judged(with_filling(FR01.ae("AE-2"), 5_000_000))["refused"]
    assert "5000000 bytes" in refusal["error"]


def test_severity_behind_the_first_256_kib_still_calls() -> None:
    """Triage reads a mebibyte of a refused line: a long narrative before the grade must not hide it."""
    raw = with_filling(FR01.ae("AE-2"), 600_000)
    assert b'"grade": 4' in raw[-400:]
    (refusal,) = judged(raw)["refused"]
    assert refusal["urgent"] is True


def test_an_event_behind_much_white_space_is_not_dropped_in_silence() -> None:
    """Too long a line, and so refused; but never taken for a blank one."""
    result = judged(PLAIN + b" " * (LINE_BYTES_MAX + 10) + line(FR01.ae("AE-2")) + b"\n")
    assert [row["line"] for row in result["refused"]] == [4]


def test_a_second_event_behind_many_carriage_returns_is_not_dropped_in_silence() -> None:
    """The line is too long as a whole, although its beginning reads as one event."""
    result = judged(line(EVENTS[0]) + b"\r" * LINE_BYTES_MAX + lines([FR01.ae("AE-2")]))
    assert [row["line"] for row in result["refused"]] == [1]


def test_old_line_ends_make_one_line_which_is_refused() -> None:
    """CR alone ended lines on machines of long ago; no event of such a file is lost without a word."""
    (refusal,) = judged(PLAIN.replace(b"\n", b"\r"))["refused"]
    assert "something follows the end of the JSON object" in refusal["error"]


def test_memory_does_not_grow_with_a_line(tmp_path: Path) -> None:
    """A line of 50 MB costs about as much as one of 1 MB: only its beginning is kept."""
    peaks = []
    for megabytes in (1, 50):
        path = tmp_path / f"{megabytes}.ndjson"
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(b"a" * MEGABYTE)
            file.write(b"\n" + PLAIN)
        tracemalloc.start()
        try:
            with EventFiles([str(path)]) as files:
                assert len(list(FileIntake(PROTOCOL, files).events())) == len(EVENTS)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + MEGABYTE
    assert peaks[1] < 4 * MEGABYTE


def test_memory_does_not_grow_with_refused_or_duplicate_lines(tmp_path: Path) -> None:
    """5,000 redeliveries leave nothing behind but a count."""
    path = tmp_path / "again.ndjson"
    path.write_bytes(PLAIN * 5_000)
    tracemalloc.start()
    try:
        with EventFiles([str(path)]) as files:
            intake = FileIntake(PROTOCOL, files)
            assert sum(1 for _ in intake.events()) == len(EVENTS)
            kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert intake.duplicates == len(EVENTS) * 4_999
    assert kept < 2 * MEGABYTE


@pytest.mark.parametrize("duplicate", [False, True])
def test_a_pipe_in_place_of_a_file_is_read_like_standard_input(duplicate: bool, tmp_path: Path) -> None:
    """``toxwatch assess <(zcat log.gz)``: nothing can be read twice there, and a redelivery must be compared."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    again = lines([{**FR01.ae(), "traceparent": "00-1"}]) if duplicate else b""
    writer = threading.Thread(target=lambda: pipe.write_bytes(PLAIN + again))
    writer.start()
    outcome = toxwatch("assess", str(pipe), "--as-of", AS_OF, "--format", "json")
    writer.join()
    assert outcome.code == 0, outcome.err
    assert outcome.json == assess(EVENTS).json
