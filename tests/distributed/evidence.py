"""What must hold of a distributed deployment once it has settled: the checks of one process, where several come to the same."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Row, Table, select

from events.dates import parse_instant
from events.identity import same_content
from projections.folds.system_alerts import LOWER_REVISION
from projections.protocols.isi_jx import PROTOCOL
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.port import Entry
from tests.crash import checks
from tests.crash.evidence import Evidence
from tests.crash.load import Book
from tests.distributed.fleet import Fleet
from tests.distributed.letter_topic import carried
from tests.files.command_line import Outcome


@dataclass(frozen=True)
class Once:
    """An entry as the checks look at it."""

    event_id: str
    body: bytes


@dataclass(frozen=True)
class FleetEvidence(Evidence):
    """``repeats_max``: how often one message may have been taken: once more for each time that a writing-down may be lost."""

    fleet: Fleet | None = None
    repeats_max: int = 1

    @property
    def its(self) -> Fleet:
        """The deployment."""
        assert self.fleet is not None
        return self.fleet

    def rows(self, table: Table) -> Sequence[Row[Any]]:
        with self.its.database() as database, database.reading() as connection:
            return connection.execute(select(table).order_by(*table.primary_key)).all()

    def entries(self, topic: str) -> list[Entry]:
        """Everything in a topic, partition by partition; a gap is an error."""
        log = KafkaLog(self.its.cluster, topic, "clinical")
        try:
            return [entry for partition in range(log.partitions) for entry in log.read(partition, 0, 10_000_000)]
        finally:
            log.close()

    @cached_property
    def clinical(self) -> list[Entry]:
        """The clinical log as it is, with what stands there twice."""
        return self.entries(topics.clinical(self.its.prefix))

    @cached_property
    def log(self) -> Any:
        """The first of each event, which is the one that counts."""
        return _firsts(self.clinical)

    @cached_property
    def alert_log(self) -> Any:
        return _firsts(self.entries(topics.alerts(self.its.prefix)))

    def command(self, *arguments: str) -> Outcome:
        return self.its.command(*arguments)


def evidence_of(fleet: Fleet, book: Book, receipts: Sequence[Any], repeats_max: int) -> FleetEvidence:
    """The evidence of a deployment that has settled."""
    return FleetEvidence(fleet.home, book, tuple(receipts), (), (), (PROTOCOL,), fleet=fleet, repeats_max=repeats_max)


def _firsts(entries: list[Entry]) -> list[Once]:
    found: dict[tuple[Any, ...], Once] = {}
    for entry in entries:
        said = json.loads(entry.body)
        found.setdefault((said.get("subject"), said["source"], said["id"]), Once(said["id"], entry.body))
    return list(found.values())


def nothing_taken_is_missing(evidence: FleetEvidence) -> Iterator[str]:
    """What was answered 202 stands at the position that was named, as it was sent."""
    there = {str(entry.position): entry.body for entry in evidence.clinical}
    for answer in evidence.book.answers:
        if answer.status not in checks.TAKEN:
            continue
        body = there.get(answer.position or "")
        if body is None:
            yield f"{answer.line.id} was said to be at {answer.position}, where nothing is"
        elif not same_content(answer.line.body, body):
            yield f"{answer.line.id} was said to be at {answer.position}, where something else is"


def no_deadline_fired_early(evidence: FleetEvidence) -> Iterator[str]:
    """Once each, as far as readers who go by ids can see, and never before it is due."""
    fired: Counter[tuple[str, ...]] = Counter()
    for entry in evidence.log:
        said = json.loads(entry.body)
        if said["type"] == "toxwatch.clock.reached.v1":
            fired[(said["subject"], said["data"]["case"], said["data"]["due"])] += 1
            if parse_instant(said["time"]) < parse_instant(said["data"]["due"]):
                yield f"{said['subject']} {said['data']['case']}: fired before it was due"
    yield from (f"{key} fired under {times} ids" for key, times in fired.items() if times > 1)


def the_alert_log_is_the_history(evidence: FleetEvidence) -> Iterator[str]:
    """For a reader who goes by ids: every alert event once, in the order in which it was told."""
    told, sent = [row.body for row in evidence.history], [one.body for one in evidence.alert_log]
    if sorted(told) != sorted(sent):
        missing, more = set(told) - set(sent), set(sent) - set(told)
        yield f"{len(missing)} alert events are not in the alert log, and {len(more)} are there only"
    elif told != sent:
        yield "the alert log has another order than the history"
    revisions: dict[str, list[int]] = defaultdict(list)
    for row in evidence.history:
        revisions[row.alert_id].append(row.revision)
    for alert in evidence.alerts:
        found = revisions.pop(alert.alert_id, [])
        if found != list(range(1, alert.revision + 1)):
            yield f"alert {alert.alert_id} is at revision {alert.revision}, and its history is {found}"
    yield from (f"alert {alert_id} has a history and does not exist" for alert_id in revisions)


def messages_repeat_only_after_a_fault(evidence: FleetEvidence) -> Iterator[str]:
    """And always under one id."""
    taken = Counter(receipt.id for receipt in evidence.receipts if receipt.was_taken)
    for message, times in taken.items():
        if times > evidence.repeats_max:
            yield f"message {message} was taken {times} times"
    ids: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for receipt in evidence.receipts:
        for alert_id, revision in receipt.listed:
            ids[(receipt.channel, alert_id, revision)].add(receipt.id)
    yield from (f"{key} came under {len(found)} ids" for key, found in ids.items() if len(found) > 1)


def letters_are_in_the_topic(evidence: FleetEvidence) -> Iterator[str]:
    """Each with its bytes; perhaps twice, under one key."""
    found = carried(evidence.its.cluster, evidence.its.prefix)
    there = {one.letter: one.value for one in found}
    for letter in evidence.letters:
        if there.pop(letter.id, None) != letter.raw:
            yield f"dead letter {letter.id} is not in the topic as it is in the table"
    yield from (f"there is no dead letter {number}, and it is in the topic" for number in there)
    if len({one.key for one in found}) != len(evidence.letters):
        yield "letters have more than one key, or one key"


def the_monitor_parked_nothing(evidence: FleetEvidence) -> Iterator[str]:
    """What is refused is refused at the gateway; of what is in the log only a lower revision is kept, until it is settled."""
    for letter in evidence.letters:
        if letter.origin != "gateway" and letter.reason != LOWER_REVISION:
            yield f"the monitor has parked {letter.event_id} of {letter.subject}: {letter.error}"


CHECKS: tuple[Callable[[Any], Iterator[str]], ...] = (
    checks.answers_are_as_foretold,
    nothing_taken_is_missing,
    no_deadline_fired_early,
    the_alert_log_is_the_history,
    checks.the_history_is_what_the_log_tells,
    checks.what_is_refused_is_parked,
    letters_are_in_the_topic,
    the_monitor_parked_nothing,
    checks.messages_are_in_the_ledger,
    messages_repeat_only_after_a_fault,
    checks.everybody_knows_what_stands,
    checks.verify_finds_nothing,
    checks.the_law_holds,
)


def faults(evidence: FleetEvidence) -> list[str]:
    """Every sentence of every check, with the check's name."""
    return [f"{check.__name__}: {fault}" for check in CHECKS for fault in check(evidence)]
