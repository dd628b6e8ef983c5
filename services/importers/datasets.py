"""Which files of a folder hold which domain, and how each is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from services.importers import dataset_json, sdtm_csv, xpt
from services.importers.fhir.bundles import SUFFIXES as SUFFIXES_OF_FHIR
from services.importers.mapping import Domain, Mapping
from services.importers.rows import DataSet, ImportFailedError

Kind = Literal["dataset-json", "sdtm", "fhir"]

#: In the order of preference, where a data set is there twice.
SUFFIXES: Final[dict[Kind, tuple[str, ...]]] = {
    "dataset-json": dataset_json.SUFFIXES,
    "sdtm": (*sdtm_csv.SUFFIXES, *xpt.SUFFIXES),
    "fhir": SUFFIXES_OF_FHIR,
}
#: DM goes first, since it knows the sites. The laboratory, the longest, goes last.
ORDER: Final[tuple[Domain, ...]] = ("DM", "EX", "SV", "AE", "DS", "LB")


class Source(NamedTuple):
    """One file and the domain that it holds."""

    domain: Domain
    path: Path


class Unread(NamedTuple):
    """A file that is not read, and why."""

    path: Path
    reason: str


@dataclass
class Inputs:
    """What is imported, in order. ``sites_from``: a DM that is read for the subjects' sites alone."""

    sources: list[Source] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    sites_from: Path | None = None


def find_inputs(kind: Kind, path: Path, mapping: Mapping) -> Inputs:
    """The data sets at ``path``, a folder or one file. Raises :class:`ImportFailedError` where there is none."""
    if path.is_dir():
        inputs = _in_folder(kind, path, mapping)
        if not inputs.sources:
            endings = ", ".join(SUFFIXES[kind])
            raise ImportFailedError(f"{path}: no data set that is known ({endings}, named dm, ex, ae, ds, sv or lb)")
        return inputs
    if not path.is_file():
        raise ImportFailedError(f"{path}: no such file or folder")
    if _suffix(kind, path) is None:
        raise ImportFailedError(f"{path.name}: not a file of this kind ({', '.join(SUFFIXES[kind])})")
    domain = _domain_of(kind, path, mapping)
    beside = [] if domain == "DM" else _in_folder(kind, path.parent, mapping).sources
    return Inputs([Source(domain, path)], [], next((source.path for source in beside if source.domain == "DM"), None))


def open_data_set(kind: Kind, path: Path, mapping: Mapping) -> DataSet:
    """The file, with its header read."""
    name = _stem(kind, path).upper()
    if kind == "dataset-json":
        return dataset_json.open_dataset_json(path)
    if path.suffix.lower() in xpt.SUFFIXES:
        return xpt.open_xpt(path, name, mapping.format)
    return sdtm_csv.open_csv(path, name, mapping.format)


def _in_folder(kind: Kind, folder: Path, mapping: Mapping) -> Inputs:
    inputs = Inputs()
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    used: dict[Path, Domain] = {}
    for domain in ORDER:
        for path in _files_of(kind, domain, files, folder, mapping, inputs):
            inputs.sources.append(Source(domain, path))
            used[path] = domain
    inputs.unread += [Unread(path, _why(kind, path, used)) for path in files if path not in used]
    return inputs


def _files_of(
    kind: Kind, domain: Domain, files: list[Path], folder: Path, mapping: Mapping, inputs: Inputs
) -> Iterator[Path]:
    """The files that the mapping names for a domain; without such, the one that is named like it."""
    if domain in mapping.files:
        for name in mapping.files[domain]:
            if folder / name in files:
                yield folder / name
            else:
                inputs.unread.append(Unread(folder / name, f"the mapping names it for {domain}, and it is not there"))
        return
    alike = [path for path in files if _suffix(kind, path) is not None and _stem(kind, path) == domain.lower()]
    yield from sorted(alike, key=lambda path: SUFFIXES[kind].index(_suffix(kind, path) or ""))[:1]


def _why(kind: Kind, path: Path, used: dict[Path, Domain]) -> str:
    if _suffix(kind, path) is None:
        return "not a file of this kind: not read"
    same = next((other for other in used if _stem(kind, other) == _stem(kind, path)), None)
    if same is not None:
        return f"the same data set as {same.name} by its name: not read"
    return "no domain that is imported, by its name, and not named in the mapping's [files]: not read"


def _domain_of(kind: Kind, path: Path, mapping: Mapping) -> Domain:
    """By the mapping, by the file's name, or by what the file calls itself."""
    for domain, names in mapping.files.items():
        if path.name in names:
            return domain
    said = [_stem(kind, path).upper(), open_data_set(kind, path, mapping).name]
    for domain in get_args(Domain):
        if domain in said:
            return domain  # type: ignore[no-any-return]
    raise ImportFailedError(f"{path.name}: {' or '.join(dict.fromkeys(said))} is no domain that is imported")


def _suffix(kind: Kind, path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for suffix in sorted(SUFFIXES[kind], key=len, reverse=True) if name.endswith(suffix)), None)


def _stem(kind: Kind, path: Path) -> str:
    return path.name.lower().removesuffix(_suffix(kind, path) or "")
