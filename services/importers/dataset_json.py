"""CDISC Dataset-JSON 1.1, as one JSON document or as NDJSON.

odmlib checks the metadata; it takes a wrong count of records and rows of the wrong length, so these are checked here.
A JSON document has to be read as a whole; NDJSON is read row by row, whatever its size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from odmlib.dataset_json_1_1 import DatasetJSON
from odmlib.exceptions import OdmlibError

from services.importers.rows import (
    MISSING,
    DataSet,
    Defect,
    ImportFailedError,
    Row,
    column_names,
    number_text,
    wrong_length,
)

SUFFIXES: Final = (".json", ".ndjson")
VERSION: Final = "1.1"


def open_dataset_json(path: Path) -> DataSet:
    """The file with its metadata read and checked. Raises :class:`ImportFailedError`."""
    try:
        if path.suffix == ".ndjson":
            with path.open(encoding="utf-8-sig") as file:
                head = json.loads(file.readline())
            rows: Iterable[Any] | None = None
        else:
            head = json.loads(path.read_text(encoding="utf-8-sig"))
            rows = head.pop("rows", None) or [] if isinstance(head, dict) else []
    except (OSError, ValueError, RecursionError) as error:
        raise ImportFailedError(f"{path.name}: not JSON that can be read: {error}") from error
    meta = _checked(head, path.name)
    if not isinstance(rows, list | None):
        raise ImportFailedError(f"{path.name}: rows is not a list")
    columns = column_names(meta.column_names, path.name)
    read = partial(_lines, path) if rows is None else partial(enumerate, rows, 1)
    return DataSet(path.name, meta.name.upper(), columns, partial(_rows, path.name, columns, meta.records, read))


def _checked(head: object, file: str) -> DatasetJSON:
    if not isinstance(head, dict):
        raise ImportFailedError(f"{file}: not Dataset-JSON, which is an object with columns and rows")
    try:
        meta = DatasetJSON.from_dict(head)
    except (OdmlibError, TypeError, ValueError, AttributeError) as error:
        raise ImportFailedError(f"{file}: not Dataset-JSON {VERSION}: {str(error).splitlines()[0]}") from error
    version = meta.datasetJSONVersion
    if version != VERSION and not version.startswith(f"{VERSION}."):
        raise ImportFailedError(f"{file}: Dataset-JSON {version} is not read; {VERSION} is")
    return meta


def _lines(path: Path) -> Iterator[tuple[int, object]]:
    """The rows of an NDJSON file; a line that is not JSON comes as the exception it raised."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        next(file)
        for number, line in enumerate(filter(str.strip, file), 1):
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
            yield Row(file, number, dict(zip(columns, map(_text, values), strict=True)))
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
