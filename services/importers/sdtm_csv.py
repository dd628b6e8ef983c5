"""SDTM and other tables as CSV, plain or gzipped, read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TextIO

from services.files.csv_records import UNREADABLE, Broken, delimiter_of, open_text, records
from services.files.rows import (
    MISSING,
    DataSet,
    Defect,
    FileRefusedError,
    ImportFailedError,
    Row,
    column_names,
    wrong_length,
)
from services.importers.columns import TextFormat

SUFFIXES: Final = (".csv", ".csv.gz")


def open_csv(path: Path, name: str, form: TextFormat, needed: tuple[str, ...] = ()) -> DataSet:
    """The file with its header read. Raises :class:`ImportFailedError` where there is none.

    ``needed``: columns without which no row says whom it is about. Where they are missing the file may have another
    delimiter: it alone is then refused, with a question.
    """
    with _opened(path, form) as file:
        _, header = next(records(file, form.delimiter), (0, None))
    if header is None:
        raise ImportFailedError(f"{path.name}: the file is empty")
    if isinstance(header, Broken):
        raise ImportFailedError(f"{path.name}: the header cannot be read: {header.reason}")
    question = delimiter_of(form.delimiter.join(header), form.delimiter)
    if question and not {column.strip().upper() for column in header}.issuperset(needed):
        raise FileRefusedError(f"the file is not read, all its rows are missing: {question}")
    columns = column_names(header, path.name)
    return DataSet(path.name, name, columns, partial(_rows, path, columns, form))


def _rows(path: Path, columns: tuple[str, ...], form: TextFormat) -> Iterator[Row | Defect]:
    file, width, missing = path.name, len(columns), frozenset(form.missing)
    with _opened(path, form) as text:
        for number, (line, fields) in enumerate(records(text, form.delimiter)):
            if number == 0:
                continue
            if isinstance(fields, Broken):
                yield Defect(file, number, "", MISSING, f"line {line}: {fields.reason}; the row is not read")
            elif len(fields) != width:
                yield wrong_length(file, number, len(fields), width)
            else:
                if missing:
                    fields = [MISSING if field in missing else field for field in fields]
                yield Row(file, number, dict(zip(columns, fields, strict=True)))


@contextmanager
def _opened(path: Path, form: TextFormat) -> Iterator[TextIO]:
    try:
        with open_text(path, form.encoding) as file:
            yield file
    except UNREADABLE as error:
        raise ImportFailedError(f"{path.name}: {str(error) or 'the file is cut off'}") from error
    except UnicodeDecodeError as error:
        rule = f"the file is not in {form.encoding}; name its encoding in the mapping (format.encoding)"
        raise ImportFailedError(f"{path.name}: {rule}") from error
