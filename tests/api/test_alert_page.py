"""``/alerts/{alert_id}``: what ``/v1/alerts/{alert_id}`` says, as a page for those people who may read that."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from events.envelope import EventRef
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.schema import migrate
from projections.store.engine.tables import alert_events, alerts, chart_events
from projections.store.write.audit import uses
from services.dispatcher.notice import handle_of
from services.gateway.keys import ROLES
from services.http.problems import unavailable
from services.web import alert_page
from services.web.page_access import problem_page
from tests.api.serving import READERS, Reading, reading, served
from tests.api.telling import START, alert_id_of, charted, delivered, told
from tests.events.samples import event

HOSTILE = '<script>alert(1)</script></style>"><img src=x onerror=alert(2)>&lt;\u202egpj.exe\x1b[31m'
WORDS = (
    "html head meta title style body main footer section h1 h2 h3 p ul li dl dt dd table thead tbody tr th td strong "
    "span time bdi details summary"
)
ELEMENTS = set(WORDS.split())
KEYS = (*(role for role in ROLES if role != "site"), "site-FR01", "nobody", None)
ALERT = f"/alerts/{alert_id_of('FR01-001', 'ae:AE-1')}"


class Page(HTMLParser):
    """The page as a reader takes it in: each section, and every time."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.sections: dict[str, str] = defaultdict(str)
        self.times: dict[str, set[str]] = defaultdict(set)
        self._open: list[str] = []
        self._section = "top"
        assert document.startswith("<!doctype html>\n")
        self.feed(document)
        self.close()
        assert self._open == [], "every element ends"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "h2":
            self._section = ""
        if tag == "time":
            self.times[self._section].add(dict(attrs)["datetime"] or "")
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        if self._open[-1:] == ["h2"]:
            self._section = data
        self.sections[self._section] += data + "\n"

    def says(self, section: str, value: object) -> bool:
        """Whether a section says a value of the JSON."""
        text = "yes" if value is True else "no" if value is False else str(value)
        return value is None or text in self.sections[section] or text in self.times[section]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _with_password(ask: Reading, path: str, key: str | None, scheme: str = "Basic") -> Any:
    """The answer to a browser whose user has typed a key."""
    if key is None:
        return ask.get(path, None)
    secret = ask._keys.headers(key)["Authorization"].removeprefix("Bearer ")
    encoded = base64.b64encode(f"ann:{secret}".encode()).decode()
    return ask._client.get(path, headers={"Authorization": f"{scheme} {encoded}"})


def _enrolled(connection: Any, **data: Any) -> None:
    """The subject's enrolment, on the chart."""
    body = event("subject.enrolled", data, id=f"enrolled-{data['revision']}")
    row = {
        "generation": 1,
        "subject": "FR01-001",
        "source": body["source"],
        "event_id": body["id"],
        "kind": "enrolment",
        "record_id": "FR01-001",
        "time": START,
        "received": START,
        "partition": 0,
        "offset": 100 + data["revision"],
        "body": json.dumps(body).encode(),
    }
    connection.execute(chart_events.insert(), [row])


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """An alert of three revisions, one that was overruled, one of a dose level, and one whose every word is hostile."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('page') / 'toxwatch.db'}")
    migrate(database)
    with database.writing() as connection:
        body = charted(connection, 0, id="e-1")
        evidence = [EventRef(source=body["source"], id="e-1"), EventRef(source="urn:site:FR01:lab", id="gone")]
        alert_id = told(connection, evidence=evidence, reasons=["first reason"], clauses={"DLT-2": "possible"})
        told(connection, evidence=evidence, telling="silent", news=False, reasons=["second reason"])
        told(
            connection,
            evidence=evidence,
            verdict="met",
            previous_verdict="possible",
            clauses={"DLT-2": "met", "DLT-3": "watch", "DLT-9": "possible"},
            dose_level=71,
            worst_grade=5,
            count=72,
            out_of=73,
            occurrences=74,
            basis="presumed-ongoing",
            due="2017-10-29T01:30:00Z",
            protocol_version="75",
            telling="quiet",
            news=False,
            questions=["related to ipilimumab?"],
            changes=[{"what": "DLT-2", "before": "possible", "after": "met", "by": {"source": "urn:edc", "id": "c-1"}}],
            caused_by=EventRef(source="urn:site:FR01:edc", id="c-2"),
        )
        delivered(connection, alert_id, 1, "monitor", ["failed", "delivered"])
        delivered(connection, alert_id, 3, "second", ["waiting"])
        told(connection, "FR01-002", clauses={"DLT-1": "met", "DLT-2": "watch", "DLT-3": "possible"})
        told(connection, "FR01-002", kind="withdrawn", verdict="met", clauses={"DLT-1": "met"}, reasons=["overruled"])
        told(connection, None, "cohort:A/2", clauses={"COHORT-HOLD": "met"}, count=2, out_of=3)
        _hostile(connection)
    with reading(database) as asked:
        yield asked
    database.close()


def _hostile(connection: Any) -> None:
    body = charted(connection, 1, id=HOSTILE, subject="FR01-003")
    told(
        connection,
        "FR01-003",
        f"ae:{HOSTILE}",
        reasons=[HOSTILE],
        questions=[HOSTILE],
        clauses={HOSTILE: "met"},
        basis=HOSTILE,
        protocol_version=HOSTILE,
        evidence=[EventRef(source=body["source"], id=HOSTILE), EventRef(source=HOSTILE, id=HOSTILE)],
        caused_by=EventRef(source=HOSTILE, id=HOSTILE),
        changes=[{"what": HOSTILE, "before": HOSTILE, "after": HOSTILE, "by": {"source": HOSTILE, "id": HOSTILE}}],
    )
    delivered(connection, alert_id_of("FR01-003", f"ae:{HOSTILE}"), 1, HOSTILE, ["failed"])


def test_the_page_says_what_the_api_says_element_by_element(ask: Reading) -> None:
    """Each value where a reader looks for it: what is in force, each revision, each event, each attempt."""
    alert = ask.read(f"/v1{ALERT}")
    page = Page(ask.get(ALERT).text)
    history, evidence, deliveries = (alert.pop(name) for name in ("history", "evidence_events", "deliveries"))
    assert (alert.pop("telling"), alert.pop("news")) == ("quiet", False)
    assert "told quietly to those who were told before" in page.sections["On record"]
    where = {"reasons": "Why", "questions": "Questions", "clauses": "Clauses", "changes": "What changed last"}
    places = {**dict.fromkeys(alert, "On record"), **where, "evidence": "Events that this rests on"}
    for name, value in alert.items():
        for leaf in _leaves(value):
            assert page.says(places[name], leaf), (name, leaf)
    for part, section in ((history, "History"), (evidence, "Events that this rests on"), (deliveries, "Deliveries")):
        assert [leaf for leaf in _leaves(part) if not page.says(section, leaf)] == []
    assert len(history) == 3
    rows = page.sections["History"].split("revision ")
    assert [row[:1] for row in rows[1:] if row[:1].isdigit()] == ["3", "2", "1"], "the newest first"
    assert "any Grade ≥ 3 treatment related toxicity lasting more than 7 days" in page.sections["Clauses"]
    assert "has no clause of this name" in page.sections["Clauses"]
    assert "of version 1 of the protocol" in page.sections["Clauses"]
    assert "FR01-001: DLT-2 met; DLT-9 possible" in page.sections["top"]
    assert "DLT-3 is not met yet" in page.sections["top"]
    assert "on no chart now" in page.sections["Events that this rests on"]


def test_what_was_withdrawn_shows_no_clause_as_met(ask: Reading) -> None:
    """Also where it was overruled, and the machine's own verdict goes on."""
    page = Page(ask.get(f"/alerts/{alert_id_of('FR01-002', 'ae:AE-1')}").text)
    assert "FR01-002: withdrawn" in page.sections["top"]
    assert "Before, DLT-1 was met and DLT-3 was possible." in page.sections["top"]
    assert "URGENT" not in page.sections["top"]
    said = page.sections["Clauses"].splitlines()
    assert [said[said.index(clause) + 1] for clause in ("DLT-1", "DLT-3")] == ["no longer in effect"] * 2
    assert "verdict\n-\n" in page.sections["On record"]


def test_an_alert_that_is_no_subjects_says_what_to_do(ask: Reading) -> None:
    """As its message does, and with the text of what holds."""
    page = Page(ask.get(f"/alerts/{alert_id_of(None, 'cohort:A/2')}").text)
    assert "no further subject is to be treated there" in page.sections["top"]
    assert "Two or more subjects of this dose level" in page.sections["Clauses"]


def test_times_are_those_of_the_site(ask: Reading, database: Database) -> None:
    """With the offset; as the newest revision of the enrolment says, or else as the protocol does. In UTC for programs."""
    page = ask.get(ALERT)
    assert (
        '<time datetime="2017-10-29T01:30:00Z" title="2017-10-29T01:30:00Z">29 Oct 2017 02:30 +01:00 (Europe/Paris)</time>'
        in page.text
    )
    with database.writing() as connection:
        begin_first_generation(connection, START)
        told(connection)
        told(connection, None, "cohort:A/2")
        _enrolled(connection, revision=2, time_zone="America/Guadeloupe")
        _enrolled(connection, revision=1, time_zone="Asia/Tokyo")
    with reading(database) as other:
        assert "20 Mar 2017 05:00 -04:00 (America/Guadeloupe)" in other.get(ALERT).text
        of_level = other.get(f"/alerts/{alert_id_of(None, 'cohort:A/2')}").text
        assert "20 Mar 2017 10:00 +01:00 (Europe/Paris)" in of_level
        with database.writing() as connection:
            _enrolled(connection, revision=3)
        assert "20 Mar 2017 10:00 +01:00 (Europe/Paris)" in other.get(ALERT).text


def test_nothing_that_a_sender_wrote_is_markup(ask: Reading) -> None:
    """Not in any text of the alert, its events or deliveries; what would steer the eye or a terminal is spelt out."""
    answer = ask.get(f"/alerts/{alert_id_of('FR01-003', f'ae:{HOSTILE}')}")
    assert answer.status_code == 200
    page = Page(answer.text)
    assert set(page.elements) <= ELEMENTS
    assert page.attributes <= {"lang", "charset", "name", "content", "class", "scope", "data-name", "datetime", "title"}
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10
    assert "\u202e" not in answer.text
    assert "\x1b" not in answer.text
    for section in ("Why", "Questions", "Clauses", "On record", "What changed last", "History", "Deliveries"):
        assert "<img src=x onerror=alert(2)>&lt;\\u202egpj.exe\\x1b[31m" in page.sections[section], section


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("way", ["bearer", "password"])
def test_who_may_read_it(ask: Reading, way: str, key: str | None) -> None:
    """As /v1/alerts/{alert_id}: a key as bearer, or as the password that a browser asks for. Otherwise a page with a sentence."""
    answer = ask.get(ALERT, key) if way == "bearer" else _with_password(ask, ALERT, key)
    role = "site" if key and key.startswith("site") else key
    expected = 200 if role in READERS else 403 if role in ROLES else 401
    assert answer.status_code == expected
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    challenges = ['Basic realm="Toxwatch", charset="UTF-8"', 'Bearer realm="Toxwatch"'] if expected == 401 else []
    assert answer.headers.get_list("www-authenticate") == challenges
    assert ("FR01-001" in answer.text) is (expected == 200)
    sentence = {401: "as the password an API key", 403: "close every window of the browser", 200: "DLT-2 met"}[expected]
    assert sentence in Page(answer.text).sections["top"]


@pytest.mark.parametrize(
    "given", ["Basic", "Basic ", "Basic %%%", "Basic YW5u", "Basic 4pyT", "Digest x", "Bearer", "", "é"]
)
def test_a_password_that_cannot_be_read_is_no_key(ask: Reading, given: str) -> None:
    """401, and the browser asks again."""
    answer = ask._client.get(ALERT, headers={"Authorization": given.encode()})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


def test_only_pages_take_a_password(ask: Reading) -> None:
    """A browser that knows one would add it to what other sites have it send."""
    for path in (f"/v1{ALERT}", "/v1/alerts"):
        answer = _with_password(ask, path, "medical-monitor")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="toxwatch"')
    assert ask._client.post("/v1/events", auth=("ann", "txw_0"), json={}).status_code == 401


def test_every_answer_is_kept_by_nobody_and_runs_nothing(ask: Reading) -> None:
    """The policy lets in the one style sheet, by its hash, and nothing else."""
    for path, key in ((ALERT, "inspector"), (ALERT, None), (ALERT, "operator"), ("/alerts/x", "inspector")):
        headers = ask.get(path, key).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy.pop("style-src").startswith("'sha256-")
        assert set(policy.values()) == {"'none'"}
        assert set(policy) == {"default-src", "base-uri", "form-action", "frame-ancestors"}


def test_what_is_not_there_is_a_page(ask: Reading) -> None:
    """For every id, odd characters included; what a mail program adds to a link does no harm."""
    for alert_id in ("", "x", "%00", "a%2Fb", "..%2f..%2fetc", "%ff", "'; DROP TABLE alerts; --", HOSTILE, "0000-00"):
        answer = ask.get(f"/alerts/{alert_id if '%' in alert_id else quote(alert_id)}")
        assert answer.status_code == 404
        assert "Check that the link is complete" in Page(answer.text).sections["top"]
        assert set(Page(answer.text).elements) <= ELEMENTS
    assert ask.get(f"{ALERT}?utm_source=mail").status_code == 200


def test_an_id_may_hold_any_character_and_a_handle_names_an_alert(ask: Reading, database: Database) -> None:
    """Percent-encoded in the link; the handle as people type it."""
    for handle in (
        handle_of(ALERT.removeprefix("/alerts/")),
        handle_of(ALERT.removeprefix("/alerts/")).lower().replace("-", ""),
    ):
        assert Page(ask.get(f"/alerts/{handle}").text).sections["top"] == Page(ask.get(ALERT).text).sections["top"]
    odd = "a/b?c#d %é<i>"
    with database.writing() as connection:
        begin_first_generation(connection, START)
        alert_id = told(connection)
        for table in (alerts, alert_events):
            connection.execute(table.update().where(table.c.alert_id == alert_id).values(alert_id=odd))
    with reading(database) as other:
        assert other.get(f"/alerts/{quote(odd, safe='')}").status_code == 200
        assert other.get(f"/alerts/{quote(odd)}").status_code == 200


def test_of_two_alerts_with_one_handle_the_reader_chooses(ask: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which happens once in a billion; nobody must be shown the wrong alert."""
    monkeypatch.setattr(alert_page, "handle_of", lambda _: "7Q2M-4D")
    answer = ask.get("/alerts/7Q2M-4D")
    assert answer.status_code == 300
    assert f'href="{ALERT}"' in answer.text
    assert answer.text.count("<a href=") == 4


def test_a_store_that_cannot_be_read_is_a_page_too() -> None:
    """It says when to come again, and what not to wait for."""
    answer = problem_page(unavailable("the store cannot be read now; ask again"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "judge by hand what cannot wait" in Page(bytes(answer.body).decode()).sections["top"]


def test_a_server_answers_head_without_a_body_and_counts_the_key(database: Database) -> None:
    """As for every route, under the route's own name; a browser that has not asked for a key yet is no refusal."""
    with database.writing() as connection:
        begin_first_generation(connection, START)
        told(connection)
    with served(database) as server:
        secret = server.keys.headers("medical-monitor")["Authorization"].removeprefix("Bearer ")
        answers = [
            httpx2.request(method, server.url + ALERT, auth=None if password is None else ("", password))
            for method, password in (("HEAD", secret), ("GET", secret), ("GET", None), ("GET", "wrong"))
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
    assert [len(answer.content) > 0 for answer in answers] == [False, True, True, True]
    assert answers[0].headers["content-length"] == answers[1].headers["content-length"]
    with database.reading() as connection:
        counted = {(row.route, row.outcome): row.count for row in uses(connection)}
    route = "/alerts/{alert_id:path}"
    assert counted == {
        (f"HEAD {route}", "used"): 1,
        (f"GET {route}", "used"): 1,
        (f"GET {route}", "refused: malformed"): 1,
    }
