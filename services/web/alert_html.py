"""The page of one alert: what ``/v1/alerts/{alert_id}`` says, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from events.alert import AlertEvent, Change
from events.catalog import EVENT_ADAPTER
from events.dates import Instant, Zone, format_instant, parse_instant
from events.envelope import EventRef
from events.local_time import local_time
from projections.folds.system_alerts import COHORT_HOLD
from projections.rules.cases.hys_law import CLAUSE as HYS_LAW
from projections.rules.logic.trial_protocol import TrialProtocol
from services.api.alert_shapes import DeliveryRow, EvidenceEvent, HistoryEntry, WholeAlert
from services.dispatcher.notice import handle_of, notice_of
from services.web.alert_words import shown_clauses, shown_verdict
from services.web.html import Html, bullets, facts, joined, page, quoted, table, tag

NOT_ON_RECORD: Final = "not on record"
NOBODY_KNOWS_THE_TEXT: Final = "The protocol in force here has no clause of this name."
#: What clauses that are not the protocol's own say.
TEXTS: Final = {
    HYS_LAW.id: HYS_LAW.wording,
    COHORT_HOLD: "Two or more subjects of this dose level have a dose-limiting toxicity: no further subject is to be "
    "treated there until the sponsor decides.",
}
VERDICTS: Final = {"met": "met", "possible": "possible", "watch": "watched: may be met later, by time alone"}
TOLD_TO: Final = {
    "news": "told as news",
    "quiet": "told quietly to those who were told before",
    "silent": "shown here, told to nobody",
}


class Site(NamedTuple):
    """Where the readers of a page are: the trial's protocol, and the clock on the wall."""

    protocol: TrialProtocol
    zone: Zone

    def time(self, instant: Instant) -> Html:
        """A time as it is read there; the exact one, in UTC, for programs and on hover."""
        exact = format_instant(instant)
        return tag("time", local_time(instant, self.zone), datetime=exact, title=exact)

    def written(self, text: str) -> Html:
        """The same of an instant that is written down."""
        try:
            return self.time(parse_instant(text))
        except (ValueError, OverflowError):
            return quoted(text)


def alert_page(alert: WholeAlert, site: Site, read_at: Instant) -> str:
    """The document."""
    handle = handle_of(alert.alert_id)
    sections = (
        _headline(alert, site),
        [tag("h2", "What changed last"), bullets(map(_change, alert.changes))] if alert.changes else "",
        tag("h2", "Why"),
        _sentences(alert.reasons, "No reason is given."),
        tag("h2", "Questions"),
        _sentences(alert.questions, "No question is open."),
        tag("h2", "Clauses"),
        _clauses(alert, site.protocol),
        tag("h2", "On record"),
        _record(alert, site),
        tag("h2", "History"),
        tag("p", "Every revision, the newest first.", class_="soft"),
        _history(alert.history, site),
        tag("h2", "Events that this rests on"),
        [_evidence(event, site) for event in alert.evidence_events] or tag("p", "None is listed."),
        tag("h2", "Deliveries"),
        _deliveries(alert.deliveries, site),
    )
    foot = tag("footer", tag("p", "Read at ", site.time(read_at), "; load the page again for news.", class_="soft"))
    # Browsers keep titles: the handle says nothing clinical.
    return page(f"Alert {handle}", tag("main", *sections), foot)


def _headline(alert: WholeAlert, site: Site) -> Html:
    withdrawn = alert.state == "withdrawn"
    urgency = "withdrawn" if withdrawn else f"{alert.urgency.upper()}, {alert.state}"
    trial = f"{site.protocol.title} ({site.protocol.trial})"
    return joined(
        tag("p", f"Toxwatch, {trial}", class_="soft"),
        tag("h1", _about(alert, withdrawn)),
        tag("p", tag("strong", urgency), f", revision {alert.revision}, alert {handle_of(alert.alert_id)}"),
        tag("p", " ".join(_meaning(alert, withdrawn)), class_="lead"),
    )


def _about(alert: WholeAlert, withdrawn: bool) -> str:
    about = alert.case if alert.subject is None else alert.subject
    if withdrawn:
        return f"{about}: withdrawn"
    said = [
        f"{', '.join(clauses)} {verdict}" for verdict in ("met", "possible") if (clauses := _having(alert, verdict))
    ]
    return f"{about}: {'; '.join(said)}" if alert.subject is not None and said else about


def _meaning(alert: WholeAlert, withdrawn: bool) -> Iterator[str]:
    """What it means, and what to do."""
    if alert.subject is None and alert.history:
        yield notice_of(_event(alert.history[-1])).sentence or ""
        return
    if withdrawn:
        yield "This alert was withdrawn: no clause alerts any longer, and you have nothing to do."
        if had := _had(alert):
            yield f"Before, {_listed(f'{clause} was {verdict}' for clause, verdict in had.items())}."
        return
    if met := _having(alert, "met"):
        yield f"{_listed(met)} {_is(met)} met. Check it against the events below; it stands until it is corrected or adjudicated."
    if possible := _having(alert, "possible"):
        settles = ": a corrected record that answers the questions settles it." if alert.questions else "."
        yield f"{_listed(possible)} {_is(possible)} possible, not certain{settles}"
    if watched := _having(alert, "watch"):
        yield f"{_listed(watched)} {_is(watched)} not met yet, and {_is(watched)} watched."
    yield (
        "The case counts as a dose-limiting toxicity."
        if alert.counts_as_dlt
        else "The case counts as no dose-limiting toxicity."
    )


def _had(alert: WholeAlert) -> dict[str, str]:
    """What was met or possible until a withdrawal."""
    before = next((_event(entry).data for entry in reversed(alert.history) if entry.kind != "withdrawn"), None)
    return {} if before is None else {key: verdict for key, verdict in before.clauses.items() if verdict != "watch"}


def _clauses(alert: WholeAlert, protocol: TrialProtocol) -> Html:
    version = protocol.version_named(alert.protocol_version)
    wordings = {**TEXTS, **{clause.id: clause.wording for clause in version.clauses}}
    withdrawn = alert.state == "withdrawn"
    shown = shown_clauses(alert, withdrawn=withdrawn)
    rows = [
        (quoted(clause), _verdict(shown.get(clause)), wordings.get(clause, NOBODY_KNOWS_THE_TEXT))
        for clause in {**alert.clauses, **(_had(alert) if withdrawn else {})}
    ]
    if not rows:
        return tag("p", "No clause is met, possible or watched.")
    note = ""
    if alert.protocol_version != version.version:
        note = tag("p", f"The texts are those of version {version.version} of the protocol.", class_="soft")
    return joined(table(("clause", "verdict", "what it says"), rows), note)


def _verdict(verdict: str | None) -> Html:
    if verdict is None:
        return tag("span", "no longer in effect", class_="soft")
    return tag("span", VERDICTS[verdict], class_=verdict)


def _record(alert: WholeAlert, site: Site) -> Html:
    written: dict[str, object] = {
        "subject": alert.subject,
        "case": alert.case,
        "state": alert.state,
        "verdict": shown_verdict(alert, withdrawn=alert.state == "withdrawn"),
        "verdict before": alert.previous_verdict,
        "worst grade": alert.worst_grade if alert.worst_grade is not None or alert.subject is None else NOT_ON_RECORD,
        "counts as a DLT": _yes(alert.counts_as_dlt),
        "population": alert.population,
        "dose level": alert.dose_level if alert.dose_level is not None or alert.subject is None else NOT_ON_RECORD,
        "urgency": alert.urgency,
        "basis": alert.basis,
        "number": alert.count,
        "out of": alert.out_of,
        "occurrences": alert.occurrences,
        "told": _told(alert.telling, alert.news),
        "protocol version": alert.protocol_version,
        "revision": alert.revision,
        "place in the log": alert.seq,
        "alert id": alert.alert_id,
    }
    times = {"raised": alert.raised_at, "changed": alert.changed_at, "detected": alert.detected_at, "due": alert.due}
    return facts(
        [
            *((name, site.written(text)) for name, text in times.items() if text is not None),
            ("caused by", _reference(alert.caused_by)),
            *((name, quoted(str(value))) for name, value in written.items() if value is not None),
        ]
    )


def _history(history: Iterable[HistoryEntry], site: Site) -> Html:
    return table(
        ("when", "what", "verdict and clauses", "what changed", "why"),
        [_revision(entry, site) for entry in reversed([*history])],
    )


def _revision(entry: HistoryEntry, site: Site) -> tuple[Html, ...]:
    alert, withdrawn = _event(entry).data, entry.kind == "withdrawn"
    clauses = [
        joined(f"{clause} ", tag("span", verdict, class_=verdict))
        for clause, verdict in shown_clauses(alert, withdrawn=withdrawn).items()
    ]
    changes = [_change(change) for change in alert.changes]
    return (
        site.written(alert.detected_at),
        joined(
            tag("p", tag("strong", entry.kind), f", revision {alert.revision}"),
            tag(
                "p", "withdrawn" if withdrawn else alert.urgency, f"; {_told(alert.telling, alert.news)}", class_="soft"
            ),
        ),
        joined(tag("p", shown_verdict(alert, withdrawn=withdrawn)), bullets(clauses) if clauses else ""),
        bullets(changes) if changes else tag("p", "first told" if entry.kind == "raised" else "not stated"),
        joined(
            bullets(quoted(reason) for reason in alert.reasons),
            tag("p", "by ", _reference(alert.caused_by), class_="soft"),
            tag("details", tag("summary", f"the whole event, number {entry.seq} of the log"), _whole(entry.event)),
        ),
    )


def _event(entry: HistoryEntry) -> AlertEvent:
    event = EVENT_ADAPTER.validate_python(entry.event)
    assert isinstance(event, AlertEvent)
    return event


def _change(change: Change) -> Html:
    steps = [quoted(text) for text in (change.before, change.after) if text is not None]
    arrow = [" → "] if len(steps) == 2 else []
    said = joined(tag("strong", quoted(change.what)), ": " if steps else "", *steps[:1], *arrow, *steps[1:])
    return said if change.by is None else joined(said, tag("span", " by ", _reference(change.by), class_="soft"))


def _evidence(evidence: EvidenceEvent, site: Site) -> Html:
    if evidence.event is None:
        missing = tag("p", "This event is on no chart now.")
        return tag("section", tag("h3", _reference(evidence)), missing)
    told = dict(evidence.event)
    times = [
        joined(f", {word} ", site.written(str(told[name])))
        for name, word in (("time", "recorded"), ("receivedtime", "received"))
        if name in told
    ]
    what = tag("p", quoted(str(told.get("type"))), *times)
    # What the site says comes first, what the envelope adds after it.
    return tag("section", tag("h3", _reference(evidence)), what, _whole({"data": told.pop("data", None), **told}))


def _deliveries(deliveries: Iterable[DeliveryRow], site: Site) -> Html:
    def attempt(row: DeliveryRow) -> Iterator[Html]:
        for tried in row.attempts:
            error = joined(": ", quoted(tried.error)) if tried.error is not None else ""
            yield joined(f"{tried.attempt}. {tried.outcome} ", site.written(tried.at), error)

    rows = [
        (
            str(row.revision),
            quoted(row.recipient),
            quoted(row.channel),
            joined(tag("p", tag("strong", row.state)), tag("p", quoted(row.error)) if row.error is not None else ""),
            site.written(row.not_before),
            "not delivered" if row.delivered_at is None else site.written(row.delivered_at),
            joined(bullets(attempt(row)), tag("p", f"delivery {row.id}", class_="soft")),
        )
        for row in deliveries
    ]
    if not rows:
        return tag("p", "Nothing was sent to anybody, and nothing waits.")
    return table(("revision", "recipient", "channel", "state", "not before", "delivered", "attempts"), rows)


def _whole(value: object) -> Html:
    """Any JSON value, with all that is in it."""
    if isinstance(value, Mapping) and value:
        return facts((str(name), _whole(each)) for name, each in value.items())
    if isinstance(value, list) and value:
        return bullets(_whole(each) for each in value)
    if isinstance(value, Mapping | list):
        return quoted("none")
    if isinstance(value, bool):
        return quoted(_yes(value))
    return quoted("null" if value is None else str(value))


def _sentences(texts: list[str], otherwise: str) -> Html:
    return bullets(quoted(text) for text in texts) if texts else tag("p", otherwise)


def _reference(event: EventRef | EvidenceEvent) -> Html:
    return joined(quoted(event.id), " from ", quoted(event.source))


def _having(alert: WholeAlert, verdict: str) -> list[str]:
    return [clause for clause, found in alert.clauses.items() if found == verdict]


def _told(telling: str | None, news: bool) -> str:
    return TOLD_TO[telling or ("news" if news else "quiet")]


def _listed(items: Iterable[str]) -> str:
    words = [*items]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _is(words: list[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
