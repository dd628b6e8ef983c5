"""Files of FHIR as resources: bundles of every type, bundles in bundles, bulk NDJSON, contained resources, deletions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from services.files.rows import ImportFailedError
from services.importers.consumed import Element, shown
from services.importers.fhir.elements import ignore_known
from services.importers.report import Action

Json = dict[str, Any]

SUFFIXES: Final = (".json", ".ndjson")
#: What is read into memory at once. Larger exports are split by their server's paging, or written as NDJSON a type.
BYTES_MAX: Final = 512 * 1024 * 1024
#: Resources nest: extensions in extensions, bundles in bundles. What nests deeper is no resource.
DEPTH_MAX: Final = 100
#: Names by which the files of a bulk export say what is in them, and by which a single file's neighbours are found.
_NEIGHBOURS: Final = (
    "Patient",
    "ResearchSubject",
    "ResearchStudy",
    "Specimen",
    "Medication",
    "MedicationAdministration",
)


@dataclass(slots=True)
class BundledResource:
    """One resource with its place: ``number`` is that of the entry in its bundle, or of the line in its file.

    ``inside``: the resource that contains it. ``key`` is how references name it. ``context``: it was read only to
    understand others, and is not itself imported.
    """

    file: str
    number: int
    kind: str
    resource: Json
    key: str
    full_url: str = ""
    inside: BundledResource | None = None
    context: bool = False
    #: Where another resource has the same id and version, and says something else: which of them this is.
    twin: int = 0
    element: Element = field(init=False)

    def __post_init__(self) -> None:
        self.element = Element(self.kind, self.resource)

    @property
    def updated(self) -> str:
        """When this version was written, as the server says."""
        meta = self.resource.get("meta")
        return str((meta.get("lastUpdated") if isinstance(meta, dict) else "") or "")

    @property
    def version(self) -> int:
        """The number of this version; 0 where it has none."""
        meta = self.resource.get("meta")
        text = str((meta.get("versionId") if isinstance(meta, dict) else "") or "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0


class Deletion(NamedTuple):
    """An entry that says that a resource was deleted."""

    file: str
    number: int
    key: str
    at: str


class FileFault(NamedTuple):
    """Something that is told before anything is read."""

    file: str
    number: int | None
    field: str
    value: str
    message: str
    action: Action = "refused"
    urgent: bool = False


@dataclass
class Contents:
    """Everything in the files of one import, in the order of files and entries."""

    name: str
    entries: list[BundledResource] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    faults: list[FileFault] = field(default_factory=list)
    #: Bundles without their resources, to tell of what nobody reads in them.
    bundles: list[tuple[str, Element]] = field(default_factory=list)
    #: The latest times that bundles give for themselves.
    stamps: list[str] = field(default_factory=list)


def read_files(path: Path) -> Contents:
    """The resources at ``path``, a folder or one file. Raises :class:`ImportFailedError` with a sentence."""
    if not path.exists():
        raise ImportFailedError(f"{path}: no such file or folder")
    files = sorted(each for each in path.iterdir() if _is_fhir(each)) if path.is_dir() else [path]
    if not files:
        raise ImportFailedError(f"{path}: no bundle ({', '.join(SUFFIXES)})")
    contents = Contents(path.name)
    for file in files:
        _read_file(file, contents, context=False)
    if not path.is_dir():
        for file in _neighbours(path):
            _read_file(file, contents, context=True)
    return contents


def _is_fhir(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _neighbours(path: Path) -> Iterator[Path]:
    """Of one file of a bulk export the files beside it that say who its subjects are."""
    if path.suffix.lower() != ".ndjson":
        return
    for kind in _NEIGHBOURS:
        beside = path.with_name(f"{kind}.ndjson")
        if beside.is_file() and beside != path:
            yield beside


def _read_file(path: Path, contents: Contents, *, context: bool) -> None:
    size = path.stat().st_size
    if size > BYTES_MAX:
        raise ImportFailedError(
            f"{path.name}: {size / 2**20:,.0f} MiB; more than {BYTES_MAX / 2**20:,.0f} MiB are not read at once: split the export"
        )
    reader = _Reader(path.name, contents, context)
    raw = path.read_bytes()
    if path.suffix.lower() == ".ndjson":
        for number, line in enumerate(raw.splitlines(), start=1):
            if line.strip():
                reader.line(number, line)
        return
    document = _parsed(path.name, raw)
    if not isinstance(document, dict) or document.get("resourceType") != "Bundle":
        raise ImportFailedError(f"{path.name}: not a FHIR Bundle")
    reader.bundle(document)


def _parsed(name: str, raw: bytes) -> Any:
    """JSON with the numbers as they are written: 5.0 is a result with one decimal."""
    try:
        document = json.loads(raw, parse_float=Decimal)
    except RecursionError:
        raise ImportFailedError(f"{name}: nested deeper than {DEPTH_MAX} levels: not a FHIR resource") from None
    except ValueError as error:
        raise ImportFailedError(f"{name}: not JSON: {error}") from None
    if _depth(document) > DEPTH_MAX:
        raise ImportFailedError(f"{name}: nested deeper than {DEPTH_MAX} levels: not a FHIR resource")
    return document


def _depth(document: Any) -> int:
    """How deep lists and objects nest, found level by level: a recursion would itself fail on what is too deep."""
    level, depth = [document], 0
    while level and depth <= DEPTH_MAX:
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return depth


class _Reader:
    """Takes the resources of one file apart."""

    def __init__(self, file: str, contents: Contents, context: bool) -> None:
        self._file = file
        self._contents = contents
        self._context = context

    def line(self, number: int, raw: bytes) -> None:
        """One line of NDJSON, which is one resource."""
        try:
            document = _parsed(self._file, raw)
        except ImportFailedError as error:
            message = f"this line cannot be read, and whatever it says is lost: {error}"
            self._fault(number, "", raw[:200].decode("utf-8", "replace"), message, urgent=True)
            return
        if isinstance(document, dict) and document.get("resourceType") == "Bundle":
            self.bundle(document)
        else:
            self._resource(number, document, "")

    def bundle(self, bundle: Json, number: int | None = None) -> None:
        """A bundle, or one inside another, whose resources have the number of the entry that it stands in."""
        entries = bundle.get("entry")
        entries = entries if isinstance(entries, list) else [] if entries is None else [entries]
        for index, entry in enumerate(entries, start=1):
            self._entry(number or index, entry)
        without = [
            {key: value for key, value in entry.items() if key != "resource"} if isinstance(entry, dict) else entry
            for entry in entries
        ]
        element = Element("Bundle", {**bundle, **({"entry": without} if entries else {})})
        self._read_bundle(element)
        if not self._context:
            self._contents.bundles.append((self._file, element))

    def _read_bundle(self, bundle: Element) -> None:
        contents = self._contents
        contents.stamps += [
            stamp for stamp in (bundle["timestamp"].text(), bundle["meta"]["lastUpdated"].text()) if stamp
        ]
        for name in ("resourceType", "id", "type", "language"):
            bundle[name].text()
        bundle["total"].text()
        ignore_known(
            bundle["meta"],
            "versionId",
            "profile",
            "source",
            "tag",
            "security",
            "id",
            reason="of the server, not of the data",
        )
        ignore_known(bundle, "identifier", "signature", reason="of the document, not of the data")
        for link in bundle["link"]:
            relation, url = link["relation"].text(), link["url"].text()
            if relation == "next":
                message = (
                    "the export goes on at another page, which is not here: what it says is missing; import all pages"
                )
                self._fault(None, link.path, url, message, urgent=True)
        for entry in bundle["entry"]:
            names = ("fullUrl", "request", "response", "search", "link", "id")
            ignore_known(entry, *names, reason="how the resource was sent, not what it says")

    def _entry(self, number: int, entry: Any) -> None:
        if not isinstance(entry, dict):
            self._fault(number, "entry", shown(entry), "an entry of a bundle that is no object: not read", urgent=True)
            return
        resource = entry.get("resource")
        full_url = entry.get("fullUrl")
        full_url = full_url if isinstance(full_url, str) else ""
        request = entry.get("request")
        request = request if isinstance(request, dict) else {}
        if str(request.get("method", "")).upper() == "DELETE":
            self._deletion(number, entry, request, full_url)
            if not isinstance(resource, dict):
                return
        if resource is None and (request or isinstance(entry.get("response"), dict)):
            self._fault(number, "entry", shown(entry), "an entry without a resource: nothing to read", action="note")
        else:
            self._resource(number, resource, full_url)

    def _deletion(self, number: int, entry: Json, request: Json, full_url: str) -> None:
        response = entry.get("response")
        at = response.get("lastModified") if isinstance(response, dict) else ""
        key = key_of(str(request.get("url") or "")) or key_of(full_url)
        self._contents.deletions.append(Deletion(self._file, number, key, str(at or "")))

    def _resource(self, number: int, resource: Any, full_url: str, inside: BundledResource | None = None) -> None:
        if not isinstance(resource, dict):
            self._fault(number, "entry", shown(resource), "no resource", urgent=True)
            return
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or not kind:
            self._fault(number, "resourceType", shown(resource), "no resource: it does not say its type", urgent=True)
            return
        if kind == "Bundle":
            self.bundle(resource, number)
            return
        if kind == "Parameters":
            self._parameters(number, resource)
        identity = resource.get("id")
        name = f"{kind}/{identity}" if isinstance(identity, str | int) and str(identity) else ""
        if inside is not None:
            name = f"{inside.key}#{identity}"
        entry = BundledResource(
            self._file, number, kind, resource, name or key_of(full_url), full_url, inside, self._context
        )
        self._contents.entries.append(entry)
        contained = resource.get("contained")
        for each in contained if isinstance(contained, list) else [contained] if isinstance(contained, dict) else []:
            self._resource(number, each, "", entry)

    def _parameters(self, number: int, resource: Json) -> None:
        """The resources that an operation returned as parameters."""
        parameters = resource.get("parameter")
        for each in parameters if isinstance(parameters, list) else []:
            if isinstance(each, dict) and isinstance(each.get("resource"), dict):
                self._resource(number, each["resource"], "")

    def _fault(
        self,
        number: int | None,
        name: str,
        value: str,
        message: str,
        *,
        action: Action = "refused",
        urgent: bool = False,
    ) -> None:
        self._contents.faults.append(FileFault(self._file, number, name, value, message, action, urgent))


def key_of(reference: str) -> str:
    """``Type/id`` of a relative, absolute or versioned reference; a ``urn:`` as it is."""
    if reference.startswith("urn:"):
        return reference
    parts = reference.partition("/_history/")[0].partition("?")[0].rstrip("/").split("/")
    return "/".join(parts[-2:])
