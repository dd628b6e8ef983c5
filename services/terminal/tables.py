"""Verdicts and the cohort board as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

STYLES: Final = {"met": "bold red", "possible": "yellow", "watch": "cyan"}
#: What a table is given where it is not written to a terminal: wide enough that nothing is cut.
WIDTH_ELSEWHERE: Final = 160


def console_for_output() -> Console:
    """Standard output: a terminal as it is, a file or a pipe wide and plain. ``NO_COLOR`` is obeyed."""
    width = None if Console().is_terminal else WIDTH_ELSEWHERE
    # Ids are the senders' own: what looks like markup or an emoji's name in them is shown as it is.
    return Console(highlight=False, markup=False, emoji=False, width=width)


def show_assessment(console: Console, result: Json) -> None:
    """The whole of ``assess``: cases, cohorts, queries, and how many lines were refused."""
    console.print(
        f"{result['protocol']} version {result['protocol_version']}, as of {result['as_of']}, "
        f"{_count(result['events'], 'event')}"
    )
    console.print(cases_table(result["cases"]))
    console.print(cohorts_table(result["cohorts"]))
    for row in result["cohorts"]:
        for subject, reason in row["pending_reasons"].items():
            console.print(f"  pending {subject}: {reason}")
    if result["lab_grades"]:
        console.print(laboratory_table(result["lab_grades"]))
    # What a case asks stands in its row already.
    shown = {(case["subject"], case["case"], question) for case in result["cases"] for question in case["questions"]}
    queries = [each for each in result["queries"] if (each["subject"], each["record"], each["question"]) not in shown]
    if queries:
        console.print(f"{_count(len(queries), 'data query', 'data queries')}:")
    for query in queries:
        console.print(f"  {query['subject']} {query['record']}: {query['question']}")
    if result["refused"]:
        console.print(f"{_count(len(result['refused']), 'line')} refused, listed on standard error")


def cases_table(cases: list[Json]) -> Table:
    """One row a case: verdict, clauses, what it counts as, and what comes next."""
    table = Table(title="Cases", title_justify="left")
    for name in ("subject", "case", "verdict", "clauses", "part", "level", "DLT", "due", "why, and what is open"):
        table.add_column(name, overflow="fold")
    for case in cases:
        verdict = case["verdict"] or "-"
        word = Text("overruled" if case["overruled"] else verdict, style=STYLES.get(verdict, ""))
        clauses = ", ".join(f"{key} {value}" for key, value in case["clauses"].items())
        table.add_row(
            case["subject"],
            case["case"],
            word,
            clauses,
            case["population"].removeprefix("part-").upper().replace("UNKNOWN", "?"),
            _or_dash(case["dose_level"]),
            "yes" if case["counts_as_dlt"] else "no",
            _or_dash(case["due"]),
            "\n".join([*case["reasons"], *(f"? {question}" for question in case["questions"])]),
        )
    return table


def cohorts_table(cohorts: list[Json]) -> Table:
    """One row a dose level: counts of subjects, and what they decide."""
    table = Table(title="Cohorts", title_justify="left")
    columns = ("part", "level", "treated", "evaluable", "pending", "replaceable", "DLTs", "decision", "best", "worst")
    for name in columns:
        table.add_column(name)
    for row in cohorts:
        decision = Text(_or_dash(row["decision"]) + (" HOLD" if row["hold"] else ""), style="bold red" * row["hold"])
        table.add_row(
            row["part"],
            _or_dash(row["dose_level"]),
            *(str(row[name]) for name in ("treated", "evaluable", "pending", "replaceable", "dlts")),
            decision,
            _or_dash(row["best_case"]),
            _or_dash(row["worst_case"]),
        )
    return table


def laboratory_table(grades: list[Json]) -> Table:
    """One row an analyte and direction: how many results have which grade, certainly or possibly."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for grade in grades:
        key = (grade["test"], grade["direction"] or "-")
        counts.setdefault(key, Counter())[_graded_as(grade)] += 1
    table = Table(title="Laboratory grades: number of results", title_justify="left")
    columns = ("0", "1", "2", "3", "4", "not certain", "not graded")
    for name in ("test", "direction", *columns):
        table.add_column(name)
    for (test, direction), found in sorted(counts.items()):
        table.add_row(test, direction, *(str(found[name] or "") for name in columns))
    return table


def _graded_as(grade: Json) -> str:
    if grade["grade_min"] is None:
        return "not graded"
    return "not certain" if grade["grade"] is None else str(grade["grade"])


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
