"""SDTM and other tables as CSV, plain or gzipped, read row by row."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TextIO

from services.importers.columns import TextFormat
from services.importers.rows import MISSING, DataSet, Defect, ImportFailedError, Row, column_names, wrong_length

SUFFIXES: Final = (".csv", ".csv.gz")


def open_csv(path: Path, name: str, form: TextFormat) -> DataSet:
    """The file with its header read. Raises :class:`ImportFailedError` where there is none."""
    with _opened(path, form) as file:
        try:
            header = next(csv.reader(file, delimiter=form.delimiter, strict=True), None)
        except csv.Error as error:
            raise ImportFailedError(f"{path.name}: the header cannot be read: {error}") from error
    if header is None:
        raise ImportFailedError(f"{path.name}: the file is empty")
    columns = column_names(header, path.name)
    return DataSet(path.name, name, columns, partial(_rows, path, columns, form))


def _rows(path: Path, columns: tuple[str, ...], form: TextFormat) -> Iterator[Row | Defect]:
    file, width, missing = path.name, len(columns), frozenset(form.missing)
    with _opened(path, form) as text:
        for number, fields in enumerate(_fields(text, form)):
            if number == 0:
                continue
            if isinstance(fields, str):
                yield Defect(file, number, "", MISSING, f"{fields}; the row is not read")
            elif len(fields) != width:
                yield wrong_length(file, number, len(fields), width)
            else:
                if missing:
                    fields = [MISSING if field in missing else field for field in fields]
                yield Row(file, number, dict(zip(columns, fields, strict=True)))


def _fields(text: TextIO, form: TextFormat) -> Iterator[list[str] | str]:
    """Each line that is not blank; as a message where the quoting is broken, and on with the next line."""
    reader = csv.reader(text, delimiter=form.delimiter, strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield f"line {reader.line_num}: {error}"
            continue
        if fields is None:
            return
        if fields:
            yield fields


@contextmanager
def _opened(path: Path, form: TextFormat) -> Iterator[TextIO]:
    try:
        with _text(path, form.encoding) as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFailedError(f"{path.name}: {str(error) or 'the file is cut off'}") from error
    except UnicodeDecodeError as error:
        rule = f"the file is not in {form.encoding}; name its encoding in the mapping (format.encoding)"
        raise ImportFailedError(f"{path.name}: {rule}") from error


def _text(path: Path, encoding: str) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")
