"""Parked input: kept with its bytes, listed by role, shown safely, replayed, erased with a reason; names are masked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.interfaces.live import Live, Ran, until
from tests.interfaces.messages import LINES, STRUCTURED, ae, ago, body_of, new_subject, text, visit

pytestmark = pytest.mark.xdist_group("interfaces")

CLINICAL = ('"subject"', '"event_id"', '"error"', '"field"', '"source"', "FR01-", "Hepatorenal", "AE-77")


def command(live: Live, *arguments: str) -> Ran:
    return live.toxwatch("dead-letters", *arguments, "--data", live.data)


def newest(live: Live) -> dict[str, Any]:
    letter: dict[str, Any] = command(live, "list", "--format", "ndjson").ndjson[-1]
    return letter


def test_the_bytes_are_kept_as_they_came(live: Live) -> None:
    """Byte for byte, even those that are no text."""
    body = body_of(visit(new_subject()), STRUCTURED)[:-1] + b'\xff\xfe "x": "\x1b[31m"}'
    assert live.send(body).status_code == 422
    letter = newest(live)
    raw = command(live, "show", str(letter["id"]), "--raw")
    shown = command(live, "show", str(letter["id"]))
    assert (raw.code, shown.code) == (0, 0)
    assert raw.raw == body
    assert "\x1b" not in shown.stdout


def test_a_line_among_others_is_kept_alone(live: Live) -> None:
    """What is parked is the element, not the request around it."""
    good, bad = visit(new_subject()), visit(new_subject(), {"status": "unheard-of"})
    live.send([good, bad], kind=LINES)
    raw = command(live, "show", str(newest(live)["id"]), "--raw").stdout
    assert bad["id"] in raw
    assert good["id"] not in raw


def test_the_operator_sees_reasons_and_counts_only(live: Live) -> None:
    """No id, no subject, no error text, which quotes what was written."""
    live.send(ae(new_subject(), {"ae_id": "AE-77", "term": "Hepatorenal syndrome", "grade": 7}))
    listed = live.get("/v1/dead-letters", "operator", limit=500)
    letter = listed.json()["dead_letters"][-1]
    assert letter["reason"]
    assert letter["state"] == "parked"
    for word in CLINICAL:
        assert word not in listed.text, word
    single = live.get(f"/v1/dead-letters/{newest(live)['id']}", "operator")
    for word in CLINICAL:
        assert word not in single.text, word
    status = live.get("/v1/status", "operator").text
    for word in ("FR01-", "Hepatorenal", "AE-77"):
        assert word not in status


def test_replaying_what_is_still_wrong_refuses_it_again(live: Live) -> None:
    """Exit code 2, the reason on standard error and nothing on standard output; it stays parked."""
    live.send(visit(new_subject(), {"status": "unheard-of"}))
    ran = command(live, "replay", str(newest(live)["id"]))
    assert "data.status" in ran.stderr
    assert (ran.code, ran.stdout) == (2, "")
    assert newest(live)["state"] == "parked"


def test_replaying_keeps_to_the_sender_s_authority(live: Live) -> None:
    """Refused for its source, which is none of its key's: whoever replays it, it is refused again."""
    source = "urn:laboratory:fr02"
    subject = new_subject("FR01")
    live.send(visit(subject, source=source))
    ran = command(live, "replay", str(newest(live)["id"]))
    assert ran.code != 0
    assert "source" in ran.stderr
    assert newest(live)["state"] == "parked"


def test_replaying_what_may_be_taken_by_now(live: Live) -> None:
    """Refused for a time too far ahead, which it no longer is: in the log, once, received when it was replayed."""
    sent = visit(new_subject(), time=text(ago(minutes=-15, seconds=-2)))
    assert live.send(sent).status_code == 422
    letter = newest(live)
    until(lambda: ago(minutes=-15) > datetime.fromisoformat(sent["time"]), why="late enough")
    ran = command(live, "replay", str(letter["id"]))
    assert (ran.code, ran.stdout) == (0, ""), ran
    assert newest(live)["state"] == "replayed"
    stored = [found for found in live.toxwatch("export", "--data", live.data).ndjson if found["id"] == sent["id"]]
    assert len(stored) == 1
    assert datetime.fromisoformat(stored[0]["receivedtime"]) > datetime.fromisoformat(letter["received_at"])
    assert live.send(sent).json()["results"][0]["status"] == "duplicate"
    assert command(live, "replay", str(letter["id"])).code == 1


def test_deleting_erases_the_bytes_and_keeps_who_and_why(live: Live) -> None:
    """The row stays, closed; the bytes are nowhere in the directory of the data."""
    marker = "Rumpelstiltskin-of-Rouen"
    live.send(visit(new_subject(), {"status": "unheard-of", "x": {"note": marker}}))
    letter = newest(live)
    number = str(letter["id"])
    assert command(live, "delete", number).code == 64
    ran = command(live, "delete", number, "--reason", "a name was in it")
    assert ran.code == 0, ran.stderr
    assert command(live, "show", number, "--raw").code != 0
    kept = next(found for found in command(live, "list", "--format", "ndjson").ndjson if found["id"] == letter["id"])
    assert kept["state"] == "deleted"
    assert kept["closed_why"] == "a name was in it"
    assert kept["closed_by"]
    until(lambda: not any(marker.encode() in path.read_bytes() for path in live.data.iterdir()), 5, "erased")


@pytest.mark.parametrize("number", ["999999", "0", "-1", "x", "1.5", "99999999999999999999"])
@pytest.mark.parametrize("action", ["show", "replay", "delete"])
def test_a_letter_that_does_not_exist(live: Live, action: str, number: str) -> None:
    """Exit code 1 where there is none, 64 where the number is none; a word on standard error, nothing beside."""
    reason = ["--reason", "r"] if action == "delete" else []
    ran = live.toxwatch("dead-letters", action, *reason, "--data", live.data, "--", number)
    assert ran.code == (1 if number == "999999" else 64)
    assert ran.stdout == ""
    assert number in ran.stderr if number == "999999" else "Invalid value for " in ran.stderr
    assert "Traceback" not in ran.stderr


NAME = "Marguerite_Lafontaine-1957"


@pytest.mark.parametrize(
    ("subject", "site"),
    [
        (NAME, "FR01"),
        ("Marguerite Lafontaine", "FR01"),
        ("FR01-Lafontaine", "FR01"),
        ("FR01-001 Lafontaine", "FR01"),
        (f"FR01-{NAME}", NAME),
        ({"name": "Lafontaine"}, "FR01"),
        (["Lafontaine"], "FR01"),
        ("1957-03-05", "FR01"),
    ],
)
def test_a_subject_id_that_looks_like_a_name_appears_nowhere(live: Live, subject: Any, site: str) -> None:
    """Neither in the answer, nor in the logs, nor in any list, not even where other fields repeat it."""
    mark = "1957-03-05" if subject == "1957-03-05" else "Lafontaine"
    seen = live.stderr.stat().st_size
    repeated = [{"id": f"{subject}-42"}, {"source": f"urn:site:FR01:{subject}"}] if isinstance(subject, str) else []
    for change in ({}, *repeated):
        for kind in (STRUCTURED, LINES):
            answer = live.send({**ae("FR01-001"), "subject": subject, "site": site, **change}, kind=kind)
            assert answer.status_code in (403, 422), answer.text
            assert mark not in answer.text
    live.settle()
    written = live.stderr.read_bytes()[seen:].decode()
    assert mark not in written
    outputs = [
        command(live, "list", "--format", "json").stdout,
        live.get("/v1/dead-letters", "data-manager", limit=500).text,
        live.get("/v1/dead-letters", "FR01", limit=500).text,
        live.get("/v1/alerts", limit=500).text,
        live.client.get(f"http://127.0.0.1:{live.metrics_port}/metrics").text,
    ]
    for output in outputs:
        assert mark not in output


def test_a_name_in_a_header_or_in_the_path_appears_nowhere(live: Live) -> None:
    """Binary mode, and a question about a subject."""
    seen = live.stderr.stat().st_size
    event = ae(new_subject())
    headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    headers |= {"ce-subject": "Lafontaine", "content-type": "application/json", **live.as_("FR01")}
    answer = live.client.post(f"{live.url}/v1/events", json=event["data"], headers=headers)
    assert answer.status_code == 422
    asked = [live.get(path, "inspector", subject="Mme Lafontaine") for path in ("/v1/alerts", "/v1/assessment")]
    for given in (answer, *asked, live.get("/v1/alerts/Lafontaine", "inspector")):
        assert "Lafontaine" not in given.text
    assert b"Lafontaine" not in live.stderr.read_bytes()[seen:]
