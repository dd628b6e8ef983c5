"""What of a file is not read, and what of the mapping is not in the file."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from services.importers.columns import Section, is_column_field
from services.importers.mapping import Domain
from services.importers.rows import DataSet
from services.importers.study import Study

# What every SDTM file has and no event needs.
IDENTIFIERS = frozenset({"DOMAIN"})


def tell_columns(study: Study, domain: Domain, data: DataSet) -> None:
    """A line for the columns that nothing reads, and one for each that the mapping names and the file lacks."""
    section: Section = getattr(study.mapping, domain.lower())
    named = {*_texts(section), *_texts(study.mapping.subject), *IDENTIFIERS}
    unread = [column for column in data.columns if column not in named]
    if unread:
        study.report.file_note(data.file, "", ",".join(unread), "columns that the import does not read")
    for key, columns in _named(section):
        if columns and not set(columns) & set(data.columns):
            message = f"named in the mapping ({domain.lower()}.{key}), and not in the file"
            study.report.file_note(data.file, "", ",".join(columns), message)


def _named(section: Section) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keys that the mapping file itself sets, each with the columns that it names."""
    for key in sorted(section.model_fields_set):
        value = getattr(section, key)
        if is_column_field(section, key):
            yield key, tuple(_texts(value))
        elif key in ("causality", "action"):
            yield from ((key, entry.column) for entry in value)
        elif key == "seriousness":
            yield from ((f"{key}.{criterion}", columns) for criterion, columns in value.items())


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
