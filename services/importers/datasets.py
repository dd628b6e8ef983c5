"""Which files of a folder hold which domain, and how each is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from services.files.rows import DataSet, ImportFailedError
from services.importers import dataset_json, sdtm_csv, xpt
from services.importers.fhir.bundles import SUFFIXES as SUFFIXES_OF_FHIR
from services.importers.mapping import Domain, Mapping

Kind = Literal["dataset-json", "sdtm", "fhir"]

#: In the order of preference, where a data set is there twice.
SUFFIXES: Final[dict[Kind, tuple[str, ...]]] = {
    "dataset-json": dataset_json.SUFFIXES,
    "sdtm": (*sdtm_csv.SUFFIXES, *xpt.SUFFIXES),
    "fhir": SUFFIXES_OF_FHIR,
}
#: DM goes first, since it knows the sites. The laboratory, the longest, goes last.
ORDER: Final[tuple[Domain, ...]] = ("DM", "EX", "SV", "AE", "DS", "LB")
#: Parts of a data set that was split by the standard's rule: the domain and up to two more characters.
SPLIT: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{1,2}")
#: Domains that are not imported, and tell of deaths, of toxicities or of what was given.
MAY_MATTER: Final = frozenset({"DD", "SS", "CE", "EC", "FAAE"})


class Source(NamedTuple):
    """One file and the domain that it holds."""

    domain: Domain
    path: Path
    member: str = ""


class Unread(NamedTuple):
    """A file that is not read, and why. ``urgent``: what it holds may matter."""

    path: Path
    reason: str
    urgent: bool = False


@dataclass
class Inputs:
    """What is imported, in order. ``sites_from``: a DM that is read for the subjects' sites alone."""

    sources: list[Source] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    sites_from: Source | None = None


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
    found = _of_file(kind, path, mapping)
    if any(source.domain == "DM" for source in found.sources):
        return found
    beside = [source for source in _in_folder(kind, path.parent, mapping).sources if source.domain == "DM"]
    found.sites_from = beside[0] if beside else None
    return found


def open_data_set(kind: Kind, path: Path, mapping: Mapping, member: str = "") -> DataSet:
    """The file, or one member of it, with its header read."""
    name = _stem(kind, path).upper()
    if kind == "dataset-json":
        return dataset_json.open_dataset_json(path)
    if path.suffix.lower() in xpt.SUFFIXES:
        return xpt.open_xpt(path, name, mapping.format, member)
    needed = mapping.subject.id[0] if len(mapping.subject.id) == 1 else ()
    return sdtm_csv.open_csv(path, name, mapping.format, needed)


def _in_folder(kind: Kind, folder: Path, mapping: Mapping) -> Inputs:
    """The data sets of a folder, domain by domain: named by the mapping, by their file, or by themselves."""
    inputs = Inputs()
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    sources = [*_named_in_mapping(files, folder, mapping, inputs)]
    claimed = {source.path for source in sources}
    alike = [path for path in files if path not in claimed and _suffix(kind, path) is not None]
    taken: dict[str, Path] = {}
    for path in sorted(alike, key=lambda path: SUFFIXES[kind].index(_suffix(kind, path) or "")):
        sources += _sources_of(kind, path, mapping, taken, inputs)
    used = {source.path for source in sources}
    inputs.unread += [
        Unread(path, "not a file of this kind: not read") for path in files if path not in used and path not in alike
    ]
    inputs.sources = sorted(sources, key=lambda source: ORDER.index(source.domain))
    inputs.unread.sort(key=lambda unread: unread.path.name)
    return inputs


def _named_in_mapping(files: list[Path], folder: Path, mapping: Mapping, inputs: Inputs) -> Iterator[Source]:
    for domain, names in mapping.files.items():
        for name in names:
            if folder / name in files:
                yield Source(domain, folder / name)
            else:
                reason = f"the mapping names it for {domain}, and it is not there"
                inputs.unread.append(Unread(folder / name, reason, urgent=True))


def _sources_of(kind: Kind, path: Path, mapping: Mapping, taken: dict[str, Path], inputs: Inputs) -> Iterator[Source]:
    """The data sets that a file holds, as far as they are of a domain and not there already."""
    for name, member in _names_of(kind, path, mapping):
        domain = domain_named(name)
        if domain is None or domain in mapping.files:
            what = f"its member {member}: " if member else ""
            reason = f"{what}no domain that is imported, by its name, and not named in the mapping's [files]: not read"
            inputs.unread.append(Unread(path, reason, urgent=name in MAY_MATTER))
        elif name in taken and taken[name] != path:
            inputs.unread.append(Unread(path, f"the same data set as {taken[name].name} by its name: not read"))
        else:
            taken[name] = path
            yield Source(domain, path, member)


def _names_of(kind: Kind, path: Path, mapping: Mapping) -> list[tuple[str, str]]:
    """What the data sets of a file are called, each with its member where there are several."""
    stem = _stem(kind, path).upper()
    if path.suffix.lower() in xpt.SUFFIXES:
        members = xpt.member_names(path)
        if len(members) > 1:
            return [(member, member) for member in members]
        return [(next((name for name in (stem, *members) if domain_named(name)), stem), "")]
    if domain_named(stem) is None and kind == "dataset-json":
        try:
            return [(open_data_set(kind, path, mapping).name, "")]
        except ImportFailedError:
            return [(stem, "")]
    return [(stem, "")]


def domain_named(name: str) -> Domain | None:
    """The domain of a data set: its own name, or one of its parts, as LBCH and LBHE are of LB."""
    for domain in ORDER:
        if name == domain or (name.startswith(domain) and SPLIT.fullmatch(name)):
            return domain
    return None


def _of_file(kind: Kind, path: Path, mapping: Mapping) -> Inputs:
    """One file: by the mapping, by its name, or by what it calls itself; every member of one that holds several."""
    for domain, names in mapping.files.items():
        if path.name in names:
            return Inputs([Source(domain, path)])
    inputs = Inputs()
    inputs.sources = [*_sources_of(kind, path, mapping.model_copy(update={"files": {}}), {}, inputs)]
    if inputs.sources:
        inputs.sources.sort(key=lambda source: ORDER.index(source.domain))
        return inputs
    said = [_stem(kind, path).upper(), open_data_set(kind, path, mapping).name]
    raise ImportFailedError(f"{path.name}: {' or '.join(dict.fromkeys(said))} is no domain that is imported")


def _suffix(kind: Kind, path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for suffix in sorted(SUFFIXES[kind], key=len, reverse=True) if name.endswith(suffix)), None)


def _stem(kind: Kind, path: Path) -> str:
    return path.name.lower().removesuffix(_suffix(kind, path) or "")
