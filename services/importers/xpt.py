"""SAS transport files (XPT, versions 5 and 8), read in pieces."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from services.files.rows import MISSING, DataSet, Defect, ImportFailedError, Row, column_names, number_text
from services.importers.columns import UTF_8, TextFormat
from services.importers.xpt_members import RECORD_BYTES, members_of

SUFFIXES: Final = (".xpt",)
# Every piece is found by reading over those before it, so that small pieces make a long file slow.
ROWS_AT_ONCE: Final = 50_000


def open_xpt(path: Path, name: str, form: TextFormat, member: str = "") -> DataSet:
    """One member of the file, the first where none is named, with its header read. A member's own name goes before ``name``."""
    with _member_file(path, member) as (file, _):
        _, meta = _read(file, path.name, form, metadataonly=True)
    columns = column_names(meta.column_names, path.name)
    own = f"{path.name}:{member}" if member else path.name
    return DataSet(own, (meta.table_name or name).upper(), columns, partial(_rows, path, own, columns, form, member))


def member_names(path: Path) -> list[str]:
    """The names of a file's members; none where it is no transport file."""
    try:
        return [member.name for member in members_of(path)]
    except (OSError, ValueError) as error:
        raise ImportFailedError(f"{path.name}: {error}") from error


@contextmanager
def _member_file(path: Path, name: str) -> Iterator[tuple[Path, int]]:
    """A file with one member alone, and how many bytes its last row lacks."""
    try:
        members = members_of(path)
    except (OSError, ValueError) as error:
        raise ImportFailedError(f"{path.name}: {error}") from error
    found = next((member for member in members if member.name == name), members[0] if members else None)
    if found is None or len(members) == 1:
        yield path, found.lacking if found is not None else 0
        return
    with NamedTemporaryFile(suffix=".xpt") as file:
        file.write(found.content)
        file.flush()
        yield Path(file.name), found.lacking


def _rows(path: Path, own: str, columns: tuple[str, ...], form: TextFormat, member: str) -> Iterator[Row | Defect]:
    # The format counts no rows: of a file that was cut off, pyreadstat reads what is there and says nothing.
    size = path.stat().st_size
    if size % RECORD_BYTES:
        rule = f"the file is cut off: it is no multiple of {RECORD_BYTES} bytes; the rows that are whole are read"
        yield Defect(own, 0, "", str(size), rule)
    missing = {*form.missing, MISSING}
    with _member_file(path, member) as (file, lacking):
        if lacking and not size % RECORD_BYTES:
            yield Defect(own, 0, "", str(size), f"the file is cut off: its last row lacks {lacking} bytes")
        done = 0
        # Not pyreadstat's own read_file_in_chunks: asked for dicts it never comes to an end.
        while True:
            table, _ = _read(file, path.name, form, row_offset=done, row_limit=ROWS_AT_ONCE, output_format="dict")
            values = [
                [MISSING if (text := _text(value)) in missing else text for value in column]
                for column in table.values()
            ]
            count = len(values[0])
            for number, fields in enumerate(zip(*values, strict=True), done + 1):
                yield Row(own, number, dict(zip(columns, fields, strict=True)))
            done += count
            if count < ROWS_AT_ONCE:
                return


def _read(path: Path, name: str, form: TextFormat, **options: Any) -> tuple[Any, Any]:
    # Imported here: it brings pandas with it, which takes longer to load than most files to read.
    import pyreadstat

    encoding = None if form.encoding == UTF_8 else form.encoding
    try:
        with warnings.catch_warnings():
            # It would rename the second of two columns of one name, and what it says would be lost.
            warnings.simplefilter("error", UserWarning)
            return pyreadstat.read_xport(str(path), encoding=encoding, **options)
    except UnicodeDecodeError as error:
        rule = "the file is not in utf-8; name its encoding in the mapping (format.encoding)"
        raise ImportFailedError(f"{name}: {rule}") from error
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, OSError, ValueError, TypeError, UserWarning) as error:
        # A TypeError: two columns whose names are damaged alike.
        raise ImportFailedError(f"{name}: not a SAS transport file that can be read: {error}") from error


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
