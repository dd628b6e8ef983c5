"""The words of a mail: what happened, what it means, what to do, and where to read on."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from services.dispatcher.channels.port import GroupedAlert, Message
from services.dispatcher.notice import Notice, plain

#: The texts begin below each other.
LABEL_WIDTH: Final = 11
WIDTH: Final = 78
#: As many subjects as the subject line of a message about several alerts names.
NAMED_MAX: Final = 4


def subject_of(message: Message) -> str:
    """The subject line."""
    if not message.parts:
        return f"[Toxwatch] {message.notice.headline}"
    about = list(dict.fromkeys(part.notice.subject or part.notice.case for part in message.parts))
    named = ", ".join(about[:NAMED_MAX]) + (", …" if len(about) > NAMED_MAX else "")
    return plain(f"[Toxwatch] {len(message.parts)} updates, none urgent: {named}")


def text_of(message: Message) -> str:
    """The text."""
    lines = _listing(message) if message.parts else _alone(message)
    return "\n".join(plain(line) for line in lines) + "\n"


def _alone(message: Message) -> Iterator[str]:
    notice = message.notice
    yield from (notice.headline, "")
    yield from (*wrap(plain(notice.advice), WIDTH), "")
    yield from _facts(notice, is_clinical=message.recipient.detail == "clinical")
    yield from ("", f"{'Open it':{LABEL_WIDTH}}{message.link}", "")
    yield f"Revision {notice.revision} of alert {notice.handle}. Trial {notice.trial}."


def _listing(message: Message) -> Iterator[str]:
    yield f"{len(message.parts)} updates, the gravest first. None is urgent: what is urgent comes in a message of its own."
    for part in message.parts:
        yield from ("", "-" * 60, *_listed(part, is_clinical=message.recipient.detail == "clinical"))
    yield from ("", f"Trial {message.notice.trial}.")


def _listed(part: GroupedAlert, *, is_clinical: bool) -> Iterator[str]:
    yield part.notice.headline
    yield from _facts(part.notice, is_clinical=is_clinical)
    yield f"{'Open it':{LABEL_WIDTH}}{part.link}"


def _facts(notice: Notice, *, is_clinical: bool) -> Iterator[str]:
    for label, values in (
        ("Subject", [notice.whereabouts] if notice.subject is not None else []),
        ("Verdict", _verdicts(notice)),
        ("Counts", [notice.counting] if notice.alerting_clauses and notice.subject is not None else []),
        ("Changed", _changes(notice, is_clinical=is_clinical)),
        ("By event", [notice.changed_by] if notice.changed_by is not None else []),
        ("To settle", _questions(notice, is_clinical=is_clinical)),
        ("Others", [notice.others] if notice.others is not None else []),
        ("When", [notice.when]),
    ):
        for number, value in enumerate(values):
            yield f"{label if number == 0 else '':{LABEL_WIDTH}}{value}"


def _verdicts(notice: Notice) -> list[str]:
    found = []
    for clause, verdict in notice.alerting_clauses.items():
        meaning = notice.summaries.get(clause)
        found.append(f"{clause} {verdict}" + (f": {meaning}" if meaning else ""))
    return found


def _changes(notice: Notice, *, is_clinical: bool) -> list[str]:
    if not is_clinical:
        return notice.what_changed
    return [
        f"{change.what}: {change.before or '-'} -> {change.after or '-'}"
        if change.before is not None
        else f"{change.what}: {change.after}"
        for change in notice.changes
    ]


def _questions(notice: Notice, *, is_clinical: bool) -> list[str]:
    if notice.is_withdrawn or not notice.questions:
        return []
    if is_clinical:
        return list(notice.questions)
    count = len(notice.questions)
    return ["1 question, which the page asks" if count == 1 else f"{count} questions, which the page asks"]
