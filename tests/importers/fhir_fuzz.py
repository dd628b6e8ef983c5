"""Mutated FHIR: what a broken export, a careless mapper or a hostile sender makes of a bundle."""

from __future__ import annotations

import copy
import io
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from services.files.rows import ImportFailedError
from services.importers.mapping import load_mapping
from services.importers.report import ImportReport
from services.importers.run import import_study
from tests.importers.bundles import administration, adverse_event, bundle, concept, encounter, observation, subject
from tests.importers.fhir_imports import MAPPING

Json = dict[str, Any]
Place = tuple[Any, Any]

SEED_FILES: Final = 1000

#: Values that no reader expects where they are put.
ODD: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        3,
        4,
        10**40,
        1e308,
        5e-324,
        "",
        " ",
        "x",
        "\u0000",
        "\ud800",
        "9" * 5000,
        "2017-02-30",
    ),
    *(
        "2017-13",
        "0000",
        "Grade 4",
        [],
        {},
        [[]],
        [{}],
        [None],
        {"coding": None},
        {"coding": [None]},
        {"value": {}},
        ["a", 1],
    ),
    *(
        {"reference": 7},
        {"extension": {"extension": {}}},
        [{"url": 5}],
        "2017-02-20T25:61:61+99:99",
        "NaN",
        "1,200",
        "#",
    ),
    *("urn:", "?", "Patient/"),
)


class Outcome(NamedTuple):
    """What came of one file: the events by record, the lines, and the sentence with which the import ended, if it did."""

    events: dict[tuple[str, str], Json]
    lines: Counter[str]
    urgent: int
    ended: str


def base() -> Json:
    """One of everything, as a hospital's server writes it."""
    panel = observation(id="o2", code=concept("58410-2", "CBC panel", "http://loinc.org"))
    for name in ("valueQuantity", "referenceRange"):
        del panel[name]
    panel["component"] = [
        {
            "code": concept("751-8", "Neutrophils", "http://loinc.org"),
            "valueQuantity": {"value": 0.3, "code": "10*9/L"},
        },
        {"code": concept("777-3", "Platelets", "http://loinc.org"), "valueQuantity": {"value": 18, "code": "10*9/L"}},
    ]
    specimen = {
        "resourceType": "Specimen",
        "id": "s1",
        "type": concept("119364003", "Serum specimen", "http://snomed.info/sct"),
    }
    drawn = observation(id="o3", specimen={"reference": "Specimen/s1"}, encounter={"reference": "Encounter/e1"})
    fatal = adverse_event(
        id="ae2", outcome=concept("C48275", "Fatal"), meta={"versionId": "2", "lastUpdated": "2017-03-01T09:00:00Z"}
    )
    every = [administration(), encounter(), adverse_event(), fatal, observation(), panel, specimen, drawn]
    # The builders share some of their parts.
    return copy.deepcopy(bundle(*subject(), *every))


def places(node: Any) -> Iterator[Place]:
    """Every place in a document: its container and its key there."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from places(node[key])


def mutate(document: Json, choose: random.Random) -> str:
    """Change one place of a document. Returns what was done: only what is ``removed`` may vanish without a line."""
    container, key = choose.choice(list(places(document)))
    match choose.randrange(7):
        case 0:
            del container[key]
            return "removed"
        case 1 | 2:
            container[key] = copy.deepcopy(choose.choice(ODD))
            return "replaced" if container[key] or container[key] == 0 else "removed"
        case 3:
            container[key] = [copy.deepcopy(container[key]), copy.deepcopy(container[key])]
            return "doubled"
        case 4 if isinstance(container, dict):
            container[f"{key}X"] = container.pop(key)
            return "renamed"
        case 5:
            container[key] = {"value": container[key]}
            return "wrapped"
        case _:
            other, place = choose.choice(list(places(document)))
            container[key] = copy.deepcopy(other[place])
            return "copied"


def spoil(text: str, choose: random.Random) -> str:
    """Change the text of a file: cut it off, or write over a few characters."""
    at = choose.randrange(len(text))
    if choose.randrange(3) == 0:
        return text[:at]
    return (
        text[:at]
        + choose.choice(['"', "{", "}", "[", "]", ",", "\\", "0", "e", "\x00", "é", "null"])
        + text[at + choose.randrange(3) :]
    )


def outcome_of(path: Path) -> Outcome:
    """Import one file. Whatever is raised but the sentence of a file that cannot be read is a bug."""
    out, lines = io.BytesIO(), io.StringIO()
    report = ImportReport(lines, "ndjson")
    ended = ""
    try:
        import_study("fhir", path, _mapping(path.parent), out, report)
    except ImportFailedError as error:
        ended = str(error)
    events: dict[tuple[str, str], Json] = {}
    for line in out.getvalue().splitlines():
        event = json.loads(line)
        events[event["type"], event["id"].rsplit(".", 2)[0]] = event["data"]
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    told = Counter(f"{each['row']} {each['field']} {each['message']}" for each in said if each["action"] != "summary")
    return Outcome(events, told, report.urgent, ended)


def lost(before: Outcome, after: Outcome, how: str) -> list[str]:
    """What an event said before and no event says now, if no line was added that could tell of it.

    A resource with another id, or a component with another code, is an event of another name. A code of another system is no
    LOINC; which test it is is said by another code or in words, or there is a line.
    """
    if after.ended or after.lines - before.lines or how == "removed":
        return []
    gone = [name for name in before.events if name not in after.events]
    new = Counter(kind for kind, _ in after.events.keys() - before.events.keys())
    missing = [str(name) for name in gone if new[name[0]] < Counter(kind for kind, _ in gone)[name[0]]]
    for name, data in before.events.items():
        there = after.events.get(name, data)
        missing += [f"{name}.{key}" for key in data if key not in there and key != "loinc"]
    return missing


def _mapping(directory: Path) -> Any:
    path = directory / "mapping.toml"
    if not path.exists():
        path.write_text(MAPPING, encoding="utf-8")
    return load_mapping(str(path))


def run(directory: Path, count: int, seed: int) -> list[str]:
    """Import ``count`` mutated files. Returns what was lost without a line; raises whatever the importer raises."""
    choose = random.Random(seed)
    path = directory / "bundle.json"
    path.write_text(json.dumps(base()), encoding="utf-8")
    before = outcome_of(path)
    found: list[str] = []
    for number in range(count):
        document = base()
        how = mutate(document, choose)
        text = json.dumps(document)
        if choose.randrange(10) == 0:
            how, text = "removed", spoil(text, choose)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            after = outcome_of(path)
        except Exception as error:
            raise AssertionError(f"file {number} of seed {seed} ({how}): {text}") from error
        found += [f"{number} {how}: {each}" for each in lost(before, after, how)]
    return found


def main(count: int) -> int:
    """The fuzz at the size that is asked for, a thousand files a seed."""
    found: list[str] = []
    with TemporaryDirectory() as directory:
        for seed in range(-(-count // SEED_FILES)):
            found += run(Path(directory), min(SEED_FILES, count - seed * SEED_FILES), seed)
            print(f"{min((seed + 1) * SEED_FILES, count):,} files, {len(found)} lost without a line", flush=True)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
