"""CDISC Dataset-JSON 1.1, as one JSON document or as NDJSON.

odmlib checks the metadata; it takes a wrong count of records and rows of the wrong length, so these are checked here.
A JSON document has to be read as a whole; NDJSON is read row by row, whatever its size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from odmlib.dataset_json_1_1 import DatasetJSON
from odmlib.exceptions import OdmlibError

from services.files.csv_records import LINE_MAX, UNREADABLE, unpacked_text
from services.files.rows import (
    MISSING,
    DataSet,
    Defect,
    FileNote,
    ImportFailedError,
    Row,
    column_names,
    number_text,
    wrong_length,
)
from services.importers.consumed import shown

#: The three forms of the standard: one document, a line a row, and that compressed.
COMPRESSED: Final = ".dsjc"
LINES: Final = (".ndjson", COMPRESSED)
SUFFIXES: Final = (".json", *LINES)
ATTRIBUTES: Final = frozenset(
    [
        "datasetJSONCreationDateTime",
        "datasetJSONVersion",
        "fileOID",
        "dbLastModifiedDateTime",
        "originator",
        "sourceSystem",
        "studyOID",
        "metaDataVersionOID",
        "metaDataRef",
        "itemGroupOID",
        "isReferenceData",
        "records",
        "name",
        "label",
        "columns",
        "rows",
    ]
)
COLUMN_ATTRIBUTES: Final = frozenset(
    ["itemOID", "name", "label", "dataType", "targetDataType", "length", "displayFormat", "keySequence"]
)
VERSION: Final = "1.1"


def open_dataset_json(path: Path) -> DataSet:
    """The file with its metadata read and checked. Raises :class:`ImportFailedError`."""
    try:
        if path.suffix.lower() in LINES:
            with _opened(path) as file:
                head = json.loads(file.readline(LINE_MAX))
            rows: Iterable[Any] | None = None
        else:
            head = json.loads(path.read_text(encoding="utf-8-sig"))
            rows = head.pop("rows", None) or [] if isinstance(head, dict) else []
    except (*UNREADABLE, ValueError, RecursionError) as error:
        raise ImportFailedError(f"{path.name}: not JSON that can be read: {error}") from error
    meta, notes = _checked(head, path.name)
    if not isinstance(rows, list | None):
        raise ImportFailedError(f"{path.name}: rows is not a list")
    columns = column_names(meta.column_names, path.name)
    read = partial(_lines, path) if rows is None else partial(enumerate, rows, 1)
    found = partial(_rows, path.name, columns, meta.records, read)
    return DataSet(path.name, meta.name.upper(), columns, found, tuple(notes))


def _checked(head: object, file: str) -> tuple[DatasetJSON, list[FileNote]]:
    if not isinstance(head, dict):
        raise ImportFailedError(f"{file}: not Dataset-JSON, which is an object with columns and rows")
    plain, notes = _without_extensions(head)
    try:
        meta = DatasetJSON.from_dict(plain)
        names = [meta.name, meta.datasetJSONVersion, *meta.column_names]
    except (OdmlibError, TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImportFailedError(f"{file}: not Dataset-JSON {VERSION}: {said}") from error
    if not all(isinstance(name, str) for name in names):
        raise ImportFailedError(f"{file}: not Dataset-JSON {VERSION}: a name or the version is not a text")
    version = meta.datasetJSONVersion
    if version != VERSION and not version.startswith(f"{VERSION}."):
        raise ImportFailedError(f"{file}: Dataset-JSON {version} is not read; {VERSION} is")
    return meta, notes


def _without_extensions(head: dict[str, Any]) -> tuple[dict[str, Any], list[FileNote]]:
    """The attributes of the standard, which allows others beside them; a note for each of these."""
    notes: list[FileNote] = []

    def known(node: object, names: frozenset[str], where: str) -> Any:
        if not isinstance(node, dict):
            return node
        others = sorted(node.keys() - names)
        notes.extend((f"{where}{name}", shown(node[name]), "an extension of Dataset-JSON: not read") for name in others)
        return {name: value for name, value in node.items() if name in names}

    plain = known(head, ATTRIBUTES, "")
    columns = plain.get("columns")
    if isinstance(columns, list):
        plain["columns"] = [known(column, COLUMN_ATTRIBUTES, "columns.") for column in columns]
    if "sourceSystem" in plain:
        plain["sourceSystem"] = known(plain["sourceSystem"], frozenset({"name", "version"}), "sourceSystem.")
    return plain, list(dict.fromkeys(notes))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """NDJSON, unpacked where it is compressed."""
    if path.suffix.lower() != COMPRESSED:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            yield file
        return
    try:
        with path.open("rb") as packed:
            yield unpacked_text(packed, path.name)
    except UNREADABLE as error:
        raise ImportFailedError(f"{path.name}: the compressed file cannot be read: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, object]]:
    """The rows of an NDJSON file; a line that is not JSON comes as the exception it raised."""
    with _opened(path) as file:
        next(file)
        for number, line in enumerate(filter(str.strip, iter(partial(file.readline, LINE_MAX), "")), 1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, error


def _rows(file: str, columns: tuple[str, ...], records: int, read: Any) -> Iterator[Row | Defect]:
    found = 0
    for number, values in read():
        found += 1
        if isinstance(values, Exception):
            yield Defect(file, number, "", MISSING, f"the line is not JSON ({values}); the row is not read")
        elif not isinstance(values, list):
            yield Defect(file, number, "", MISSING, "not a list of values; the row is not read")
        elif len(values) != len(columns):
            yield wrong_length(file, number, len(values), len(columns))
        else:
            try:
                texts = [_text(value) for value in values]
            except RecursionError:
                yield Defect(file, number, "", MISSING, "a value is nested too deeply; the row is not read")
            else:
                yield Row(file, number, dict(zip(columns, texts, strict=True)))
    if found != records:
        rule = f"the file announces {records} records and has {found}; those that are there are read"
        yield Defect(file, 0, "records", str(records), rule)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, float):
        return number_text(value)
    return json.dumps(value, ensure_ascii=False)
