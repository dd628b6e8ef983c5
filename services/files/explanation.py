"""The proof of one case as data, and as text for a terminal. It only retells what the evaluation holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from events.dates import Instant, format_instant
from projections.folds.case_history import VerdictChange
from projections.rules.cases.evaluation import ClauseProof, IntervalProof
from projections.rules.cases.finding import Finding
from projections.rules.cases.judged_case import JudgedCase
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import Answer, unique
from services.terminal.tables import STYLES

Json = dict[str, Any]

MARKS: Final = {"yes": "+", "no": "-", "unknown": "?"}


def explanation(
    protocol: TrialProtocol, subject: str, case: JudgedCase, history: Sequence[VerdictChange], instant: Instant
) -> Json:
    """The whole proof at an instant."""
    finding, evaluation = case.at(instant), case.leading(instant)
    return {
        "as_of": format_instant(instant),
        "protocol": protocol.name,
        "title": protocol.title,
        "subject": subject,
        "case": evaluation.name,
        "finding": finding.as_json(subject) if finding is not None else None,
        "clauses": [_clause(proof, instant) for proof in evaluation.clauses.values()],
        "questions": list(finding.questions) if finding is not None else [],
        "history": [_turn(turn) for turn in history],
    }


def _clause(proof: ClauseProof, instant: Instant) -> Json:
    return {
        "clause": proof.clause.id,
        "wording": proof.clause.wording,
        "verdict": proof.verdict(instant),
        "intervals": [_interval(interval, instant) for interval in proof.intervals],
        "otherwise": None if proof.intervals else proof.otherwise,
    }


def _interval(proof: IntervalProof, instant: Instant) -> list[Json]:
    return [{"predicate": step.label, **_answer(step.answer, instant)} for step in proof.steps]


def _answer(answer: Answer, instant: Instant) -> Json:
    now = answer.at(instant)
    return {
        "answer": now.truth.word,
        "reason": now.reason,
        "question": now.question,
        "events": [ref._asdict() for ref in now.evidence],
        "later": [
            {"at": format_instant(change.at), "answer": change.answer.truth.word, "reason": change.answer.reason}
            for change in answer.changes
            if change.at > instant
        ],
    }


def _turn(turn: VerdictChange) -> Json:
    return {
        "at": format_instant(turn.at),
        "cause": turn.cause._asdict() if turn.cause is not None else None,
        **_standing(turn.finding),
    }


def _standing(finding: Finding | None) -> Json:
    if finding is None:
        return {"verdict": None, "clauses": {}, "overruled": False, "due": None}
    return {
        "verdict": finding.verdict,
        "clauses": dict(finding.clauses),
        "overruled": finding.overruled,
        "due": None if finding.due is None else format_instant(finding.due),
    }


def show_explanation(console: Console, told: Json) -> None:
    """The proof as text: the verdict, each clause, open questions, and the history."""
    finding = told["finding"]
    console.print(f"{told['subject']} {told['case']} as of {told['as_of']}, {told['title']}")
    console.print(_headline(finding))
    if finding is not None:
        console.print(f"Judged by version {finding['protocol_version']} of the protocol.")
    for clause in told["clauses"]:
        _show_clause(console, clause)
    if told["questions"]:
        console.print("\nWhat would settle it")
        for question in told["questions"]:
            console.print(f"  ? {question}")
    console.print("\nHow it came about")
    for turn in told["history"]:
        cause = f"event {turn['cause']['id']}" if turn["cause"] else "time alone"
        clauses = ", ".join(f"{key} {word}" for key, word in turn["clauses"].items())
        state = "overruled" if turn["overruled"] else turn["verdict"] or "nothing stands"
        due = f", due {turn['due']}" if turn["due"] else ""
        console.print(f"  {turn['at']}  {state}{f' ({clauses})' if clauses else ''}{due}  by {cause}")


def _headline(finding: Json | None) -> Text:
    if finding is None:
        return Text("No verdict.")
    word = finding["verdict"] or "no verdict"
    text = Text(f"Verdict: {word}", style=STYLES.get(word, ""))
    notes = ["counts as a DLT" if finding["counts_as_dlt"] else "does not count as a DLT", finding["population"]]
    if finding["overruled"]:
        notes.append("overruled")
    if finding["basis"]:
        notes.append(f"{finding['basis']}, last confirmed {finding['last_confirmed']}")
    if finding["due"]:
        notes.append(f"time alone changes it at {finding['due']}")
    return text.append(f" ({'; '.join(notes)})", style="default")


def _show_clause(console: Console, clause: Json) -> None:
    verdict = clause["verdict"] or "no"
    console.print()
    console.print(Text(f"{clause['clause']}: {verdict}", style=STYLES.get(verdict, "bold")))
    console.print(f'  "{clause["wording"]}"')
    if clause["otherwise"]:
        console.print(f"  - {clause['otherwise']}")
    for number, steps in enumerate(clause["intervals"], start=1):
        if len(clause["intervals"]) > 1:
            console.print(f"  interval {number}")
        for step in steps:
            events = ", ".join(unique(event["id"] for event in step["events"]))
            console.print(
                f"  {MARKS[step['answer']]} {step['predicate']}: {step['reason']}{f'  [{events}]' if events else ''}",
                markup=False,
            )
            for later in step["later"]:
                console.print(f"      from {later['at']} {later['answer']}: {later['reason']}")
