"""Who may do what: every route, every role, and the keys that are none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.interfaces.live import READERS, Live, until
from tests.interfaces.messages import BATCHED, adjudicated, ae, ago, enrolled, new_subject, text, treated, visit

pytestmark = pytest.mark.xdist_group("interfaces")

ROLES = ("FR01", "sponsor", *READERS, "operator")
READING = ("/v1/alerts", "/v1/alerts/ID", "/v1/alerts/stream", "/v1/assessment")
LETTERS = ("/v1/dead-letters", "/v1/dead-letters/LETTER")
OPEN = ("/openapi.json", "/asyncapi.json")
ROUTES = (*READING, *LETTERS, "/v1/queries", "/v1/status")


@pytest.fixture(scope="module")
def places(live: Live) -> dict[str, str]:
    """An alert that exists, and a letter of another site: what a route's placeholders stand for."""
    subject = new_subject("FR02")
    live.accept(enrolled(subject), treated(subject), ae(subject), who="FR02")
    alert = live.alert("ae:AE-1", subject=subject)
    refused = visit(subject, {"status": "unheard-of"})
    live.send(refused, "FR02")
    letters = live.get("/v1/dead-letters", "data-manager", limit=500).json()["dead_letters"]
    (letter,) = [found for found in letters if found["event_id"] == refused["id"]]
    return {"ID": alert["alert_id"], "LETTER": str(letter["id"])}


def status_of(live: Live, route: str, places: dict[str, str], headers: dict[str, str]) -> int:
    """The status that a GET is answered with; a stream is left at once."""
    for placeholder, value in places.items():
        route = route.replace(placeholder, value)
    with live.client.stream("GET", live.url + route, headers=headers) as answer:
        return answer.status_code


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", READING)
def test_alerts_and_assessments_are_read_by_readers_only(
    live: Live, places: dict[str, str], route: str, role: str
) -> None:
    """Sites, sponsor and operator see no alert and no assessment."""
    assert status_of(live, route, places, live.as_(role)) == (200 if role in READERS else 403)


@pytest.mark.parametrize("role", READERS)
def test_readers_read_parked_input(live: Live, places: dict[str, str], role: str) -> None:
    """List and letter."""
    assert [status_of(live, route, places, live.as_(role)) for route in LETTERS] == [200, 200]


@pytest.mark.parametrize("who", ["FR01", "FR03"])
def test_a_site_reads_its_own_refused_events_only(live: Live, places: dict[str, str], who: str) -> None:
    """Another site's letter is not to be found, in the list or by its number."""
    listed = live.get("/v1/dead-letters", who, limit=500)
    assert listed.status_code == 200
    assert {letter["site"] for letter in listed.json()["dead_letters"]} <= {who}
    assert status_of(live, "/v1/dead-letters/LETTER", places, live.as_(who)) in (403, 404)
    assert status_of(live, "/v1/dead-letters/LETTER", places, live.as_("FR02")) == 200


def test_the_sponsor_reads_no_site_s_refused_events(live: Live, places: dict[str, str]) -> None:
    """Its own at most."""
    listed = live.get("/v1/dead-letters", "sponsor", limit=500)
    assert listed.status_code == 403 or listed.json()["dead_letters"] == []
    assert status_of(live, "/v1/dead-letters/LETTER", places, live.as_("sponsor")) in (403, 404)


def test_a_site_reads_the_open_questions_of_its_own_subjects_only(live: Live) -> None:
    """Whatever it asks for; readers see every site's, sponsor and operator none."""
    subjects = {site: new_subject(site) for site in ("FR01", "FR02")}
    for site, subject in subjects.items():
        live.accept(enrolled(subject), treated(subject), ae(subject, {"grade": None}), who=site)
    live.settle()

    def asked(who: str, **query: str) -> set[str]:
        return {found["subject"] for found in live.get("/v1/queries", who, **query).json()["queries"]}

    assert subjects["FR01"] in asked("FR01")
    assert {subject[:4] for subject in asked("FR01")} == {"FR01"}
    for query in ({"site": "FR02"}, {"subject": subjects["FR02"]}):
        assert asked("FR01", **query) == set()
        assert subjects["FR02"] in asked("data-manager", **query)
    for role in ("sponsor", "operator"):
        assert live.get("/v1/queries", role).status_code == 403


@pytest.mark.parametrize("role", ["FR01", "sponsor"])
def test_status_is_not_for_senders(live: Live, role: str) -> None:
    """Positions and counts of the whole trial are the operator's."""
    assert live.get("/v1/status", role).status_code == 403
    assert live.get("/v1/status", "operator").status_code == 200


@pytest.mark.parametrize("role", [*READERS, "operator"])
def test_readers_write_nothing(live: Live, role: str) -> None:
    """403 before anything is read: neither a letter nor a word about the events is left."""
    letters = live.get("/v1/status", "operator").json()["dead_letters"]
    answer = live.send([visit(new_subject()), visit(new_subject(), {"status": "nonsense"})], role, BATCHED)
    assert answer.status_code == 403
    assert "results" not in answer.json()
    assert live.get("/v1/status", "operator").json()["dead_letters"] == letters


@pytest.mark.parametrize("route", OPEN)
def test_the_documents_are_for_everybody(live: Live, route: str) -> None:
    """Without a key."""
    assert live.get(route, None).status_code == 200


@pytest.mark.parametrize("route", ["/metrics", "/healthz", "/readyz"])
def test_metrics_are_on_their_own_address_only(live: Live, route: str) -> None:
    """The gateway's address has none of them, even for an operator."""
    assert live.get(route, "operator").status_code == 404
    assert live.client.get(f"http://127.0.0.1:{live.metrics_port}{route}").status_code == 200


def invalid_keys(live: Live) -> dict[str, dict[str, str]]:
    """Headers that say nothing, or something that is no valid key."""
    revoked, expired, good = live.new_key("inspector"), live.new_key("inspector", *expiring()), live.key("inspector")
    ran = live.toxwatch("keys", "revoke", revoked.split("_")[1], "--data", live.data)
    assert ran.code == 0, ran.stderr
    until(lambda: live.client.get(f"{live.url}/v1/alerts", headers=bearer(expired)).status_code == 401, why="expired")
    return {
        "none": {},
        "empty": {"authorization": ""},
        "no scheme": {"authorization": good},
        "another scheme": {"authorization": f"Basic {good}"},
        "garbage": bearer("garbage"),
        "another secret": bearer(good[:-4] + "AAAA"),
        "another id": bearer(good.replace(good.split("_")[1], "0" * 12)),
        "no secret": bearer("_".join(good.split("_")[:2]) + "_"),
        "cut short": bearer(good[:-1]),
        "in another case": bearer(good.swapcase()),
        "the hash's wildcard": bearer(good.split("_")[0] + "_%_%"),
        "very long": bearer("txw_" + "a" * 5000),
        "revoked": bearer(revoked),
        "expired": bearer(expired),
    }


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def expiring() -> tuple[str, str]:
    """A key that is valid for a moment: by the time it is used, no longer."""
    return "--expires", text(ago(seconds=-1.5))


def test_a_key_that_is_none_opens_no_route(live: Live, places: dict[str, str]) -> None:
    """No key, garbage, half a key, a revoked and an expired one: 401 everywhere, the same answer for each."""
    for name, headers in invalid_keys(live).items():
        for route in ROUTES:
            assert status_of(live, route, places, headers) == 401, (name, route)
        event = visit(new_subject())
        answer = live.client.post(
            f"{live.url}/v1/events", json=event, headers={**headers, "content-type": "application/cloudevents+json"}
        )
        assert answer.status_code == 401, name


def test_a_key_in_the_address_is_no_key(live: Live) -> None:
    """Addresses end up in logs."""
    key = live.key("inspector")
    for name in ("key", "api_key", "token", "access_token"):
        assert live.get("/v1/alerts", None, **{name: key}).status_code == 401


def test_a_key_works_from_the_moment_it_is_made(live: Live) -> None:
    """The gateway need not be started again."""
    key = live.new_key("FR03", "--expires", text(ago(seconds=-3600)))
    assert live.send(visit(new_subject("FR03")), key=key).status_code == 202


def test_keys_are_nowhere_in_clear(live: Live) -> None:
    """Neither in the database, nor in what the process writes, nor in the list."""
    keys = list(live.keys.values())
    assert keys
    written = live.stderr.read_bytes() + b"".join(path.read_bytes() for path in live.data.iterdir())
    listed = live.toxwatch("keys", "list", "--format", "json", "--data", live.data).stdout
    for key in keys:
        secret = key.rsplit("_", 1)[1] if key.count("_") == 2 else key.split("_", 2)[2]
        assert secret.encode() not in written
        assert secret not in listed


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": "FR02-001", "site": "FR02"}, "site"),
        ({"subject": "FR02-001"}, "site"),
        ({"site": "FR02"}, "site"),
        ({"source": "urn:sponsor:safety"}, "source"),
        ({"source": "urn:sponsor:"}, "source"),
        ({"source": "urn:toxwatch:local"}, "source"),
        ({"trial": "NCT00000000"}, "trial"),
        ({"receivedtime": "2020-01-01T00:00:00Z"}, "receivedtime"),
    ],
)
def test_what_a_site_may_not_write(live: Live, change: dict[str, Any], field: str) -> None:
    """Another site's subject, the sponsor's source, another trial, a time of receipt: refused, naming the attribute."""
    answer = live.send({**visit(new_subject()), **change})
    assert answer.status_code in (403, 422)
    (result,) = answer.json()["results"]
    assert result["status"] == "refused"
    assert result["error"].startswith(f"{field}:"), result["error"]


def test_a_source_belongs_to_the_key_that_was_given_it(live: Live) -> None:
    """Another site's system cannot be spoken for, under an old id or a new one."""
    subject, source = new_subject("FR02"), "urn:laboratory:shared"
    first = visit(subject, source=source)
    assert live.send(first, key=live.new_key("FR02", "--source", source)).status_code == 202
    own = new_subject("FR01")
    for event_id in (first["id"], None):
        changed = {"source": source, **({"id": event_id} if event_id else {})}
        answer = live.send({**visit(own), **changed})
        assert answer.status_code == 403, answer.text
        assert answer.json()["results"][0]["error"].startswith("source:")


def test_another_site_s_event_cannot_be_replayed(live: Live) -> None:
    """Word for word, it is refused all the same, and nothing says whether it is known."""
    known, unknown = visit(new_subject("FR02")), visit(new_subject("FR02"))
    live.accept(known, who="FR02")
    answers = [live.send(event).json()["results"][0] for event in (known, unknown)]
    assert [answer["status"] for answer in answers] == ["refused", "refused"]
    assert answers[0]["error"] == answers[1]["error"]


def test_an_id_that_its_source_used_for_another_subject_is_refused(live: Live) -> None:
    """Identity is (subject, source, id), and the gateway lets no source use an id twice."""
    first = visit(new_subject())
    live.accept(first)
    answer = live.send({**visit(new_subject()), "id": first["id"]})
    assert answer.status_code == 422
    assert answer.json()["results"][0]["error"].startswith("id:")


def test_a_sponsor_writes_adjudications_for_any_site_from_its_sources_only(live: Live) -> None:
    """``dlt.*`` and nothing else."""
    for site in ("FR01", "FR02"):
        subject = new_subject(site)
        assert live.send(adjudicated(subject), "sponsor").status_code == 202
        assert live.send(adjudicated(subject, source=f"urn:site:{site}:edc"), "sponsor").status_code == 403
        assert live.send(ae(subject, source="urn:sponsor:safety"), "sponsor").status_code == 403
        assert live.send(visit(subject, source="urn:sponsor:safety"), "sponsor").status_code == 403


def test_nobody_writes_toxwatch_s_own_types(live: Live) -> None:
    """Clock, protocol and alerts: whoever asks, whatever the source says."""
    subject = new_subject()
    own = {
        "clock.reached": {"due": text(ago(hours=1)), "case": "ae:AE-1"},
        "alert.withdrawn": {"alert_id": "x", "case": "ae:AE-1"},
        "protocol.activated": {"protocol": "x", "version": "1", "rules_version": "1", "sha256": "0" * 64},
    }
    for who in ("FR01", "sponsor"):
        for kind, data in own.items():
            for source in ("urn:toxwatch:local", "urn:site:FR01:edc", "urn:sponsor:safety"):
                event = {**visit(subject), "type": f"toxwatch.{kind}.v1", "source": source, "data": data}
                answer = live.send(event, who)
                assert answer.status_code in (403, 422), (who, kind, source, answer.text)


def test_a_time_more_than_15_minutes_ahead_is_refused(live: Live) -> None:
    """A site's clock may be a little wrong; a window is not judged by one that is very wrong."""
    late, early = (text(ago() + timedelta(minutes=minutes)) for minutes in (16, 14))
    answer = live.send(visit(new_subject(), time=late))
    assert answer.status_code == 422
    assert answer.json()["results"][0]["error"].startswith("time:")
    assert live.send(visit(new_subject(), time=early)).status_code == 202
