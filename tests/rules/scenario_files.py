"""Scenarios as physicians read them (`docs/scenarios.md`): YAML, an event or an expected case a line, read strictly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import yaml

from tests.rules.event_lines import read_event
from tests.rules.expected_lines import read_case, read_cohort
from tests.rules.notation import Days, Json, NotationError

T = TypeVar("T")

DIRECTORY: Final = Path(__file__).parent / "scenarios"

#: Said about a scenario, and kept as it is.
_REMARKS: Final = ("id", "title", "ambiguous", "future", "duplicates", "expect_refused")
_KEYS: Final = {*_REMARKS, "day 1", "as of", "events", "cases", "cohorts"}
_QUESTION: Final = "? "


class ScenarioError(ValueError):
    """A scenario that cannot be read; names the file, the scenario and the line."""


def load_all() -> list[Json]:
    """Every scenario of the specification."""
    return [scenario for path in sorted(DIRECTORY.glob("*.yaml")) for scenario in load(path)]


def load(path: Path) -> list[Json]:
    """The scenarios of a file, their events in full."""
    return read(path.read_text(encoding="utf-8"), path.name)


def read(text: str, name: str) -> list[Json]:
    """The scenarios of a text: a list of rules, each with the scenarios that show it."""
    try:
        groups = yaml.load(text, _Texts)
    except (NotationError, yaml.YAMLError) as error:
        raise ScenarioError(f"{name}: {error}") from None
    scenarios: list[Json] = []
    for group in groups if isinstance(groups, list) else [groups]:
        _check_keys(group, {"rule", "scenarios"}, {"scenarios"}, f"{name}: a rule with its scenarios")
        rule = {"rule": group["rule"]} if "rule" in group else {}
        if not isinstance(group["scenarios"], list):
            raise ScenarioError(f"{name}: 'scenarios' is not a list")
        scenarios += [{**rule, **_scenario(written, name)} for written in group["scenarios"]]
    return scenarios


class _Texts(yaml.CBaseLoader):
    """Every value is a text: the notation says what is a number or a date. A key that is given twice is an error."""


def _mapping(loader: Any, node: yaml.MappingNode) -> Json:
    keys = [key.value for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise NotationError(f"line {node.start_mark.line + 1}: {', '.join(sorted(twice))} is given twice")
    mapping: Json = loader.construct_mapping(node, deep=True)
    return mapping


_Texts.add_constructor("tag:yaml.org,2002:map", _mapping)


def _check_keys(mapping: Any, known: set[str], needed: set[str], where: str) -> None:
    if not isinstance(mapping, dict):
        raise ScenarioError(f"{where}: {mapping!r} has no keys")
    for key in mapping.keys() - known:
        raise ScenarioError(f"{where}: {key!r} is not known; known are {', '.join(sorted(known))}")
    for key in needed - mapping.keys():
        raise ScenarioError(f"{where}: {key!r} is missing")


def _scenario(written: Any, name: str) -> Json:
    where = f"{name}, scenario {written.get('id') if isinstance(written, dict) else written}"
    _check_keys(written, _KEYS, {"id", "title", "as of", "events"}, where)
    for key, value in written.items():
        if not isinstance(value, str):
            raise ScenarioError(f"{where}: {key!r} is not a text")
    page = _Page(where, Days())
    if "day 1" in written:
        page = page._replace(days=Days(page.read(written["day 1"], lambda line, _: date.fromisoformat(line))))
    scenario: Json = {key: written[key] for key in _REMARKS if key in written}
    scenario["as_of"] = page.read(written["as of"], lambda line, days: days.when(line))
    scenario["events"] = [page.read(line, read_event) for line in written["events"].splitlines()]
    if "cases" in written:
        scenario["expect"] = page.cases(written["cases"], {event["id"] for event in scenario["events"]})
    if "cohorts" in written:
        scenario["expect_cohorts"] = [page.read(line, read_cohort) for line in written["cohorts"].splitlines()]
    return scenario


class _Page(NamedTuple):
    """The lines of one scenario. What is wrong in one says in which."""

    where: str
    days: Days

    def read(self, line: str, reader: Callable[[str, Days], T]) -> T:
        try:
            return reader(line, self.days)
        except ValueError as error:
            raise ScenarioError(f"{self.where}, line {line!r}: {error}") from None

    def cases(self, lines: str, labels: set[str]) -> list[Json]:
        """The cases, each with its questions. ``none``: no case at all."""

        def case(line: str, days: Days) -> Json:
            read = read_case(line, days)
            for label in set(read.get("evidence", [])) - labels:
                raise NotationError(f"there is no event {label}")
            return read

        cases: list[Json] = []
        for line in [] if lines == "none" else map(str.strip, lines.splitlines()):
            if line.startswith(_QUESTION) and cases:
                cases[-1]["questions"].append(line.removeprefix(_QUESTION))
            else:
                cases.append(self.read(line, case))
        return cases
