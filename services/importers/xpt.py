"""SAS transport files (XPT, versions 5 and 8), read in pieces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from services.importers.columns import UTF_8, TextFormat
from services.importers.rows import MISSING, DataSet, Defect, ImportFailedError, Row, column_names, number_text

SUFFIXES: Final = (".xpt",)
# Every piece is found by reading over those before it, so that small pieces make a long file slow.
ROWS_AT_ONCE: Final = 50_000
RECORD_BYTES: Final = 80


def open_xpt(path: Path, name: str, form: TextFormat) -> DataSet:
    """The file with its header read. A transport file names its own table, which goes before ``name``."""
    _, meta = _read(path, form, metadataonly=True)
    columns = column_names(meta.column_names, path.name)
    return DataSet(path.name, (meta.table_name or name).upper(), columns, partial(_rows, path, columns, form))


def _rows(path: Path, columns: tuple[str, ...], form: TextFormat) -> Iterator[Row | Defect]:
    # The format counts no rows: of a file that was cut off, pyreadstat reads what is there and says nothing.
    if path.stat().st_size % RECORD_BYTES:
        rule = f"the file is cut off: it is no multiple of {RECORD_BYTES} bytes; the rows that are whole are read"
        yield Defect(path.name, 0, "", str(path.stat().st_size), rule)
    missing = {*form.missing, MISSING}
    done = 0
    # Not pyreadstat's own read_file_in_chunks: asked for dicts it never comes to an end.
    while True:
        table, _ = _read(path, form, row_offset=done, row_limit=ROWS_AT_ONCE, output_format="dict")
        values = [
            [MISSING if (text := _text(value)) in missing else text for value in column] for column in table.values()
        ]
        count = len(values[0])
        for number, fields in enumerate(zip(*values, strict=True), done + 1):
            yield Row(path.name, number, dict(zip(columns, fields, strict=True)))
        done += count
        if count < ROWS_AT_ONCE:
            return


def _read(path: Path, form: TextFormat, **options: Any) -> tuple[Any, Any]:
    # Imported here: it brings pandas with it, which takes longer to load than most files to read.
    import pyreadstat

    try:
        return pyreadstat.read_xport(str(path), encoding=None if form.encoding == UTF_8 else form.encoding, **options)
    except UnicodeDecodeError as error:
        rule = "the file is not in utf-8; name its encoding in the mapping (format.encoding)"
        raise ImportFailedError(f"{path.name}: {rule}") from error
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, OSError) as error:
        raise ImportFailedError(f"{path.name}: not a SAS transport file that can be read: {error}") from error


def _text(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return MISSING if math.isnan(value) else number_text(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)
