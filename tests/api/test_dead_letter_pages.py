"""``GET /v1/dead-letters``: as much of parked input as a role may see."""

from __future__ import annotations

import base64

import pytest

from events.dates import SECOND
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.write.dead_letter_store import delete
from tests.api.serving import READERS, reading
from tests.api.telling import SOURCE, START, letter, parked

#: What a sender has written, wherever it may stand.
WRITTEN = b'{"subject": "Marie Curie", "grade": "\x1b[31m\xff"}'
SECRETS = ("Curie", "FR01-001", "grade", "e-7", "edc", "key-1")


@pytest.fixture
def letters(database: Database) -> Database:
    """Two messages from one site, one of them severe, and one from another."""
    with database.writing() as connection:
        parked(
            connection,
            letter(WRITTEN),
            letter(b"2", site="FR02", sender="key-2", reason="not-json"),
            letter(b"3", is_severe=True),
        )
    return database


@pytest.mark.parametrize("role", READERS)
def test_readers_see_everything(letters: Database, role: str) -> None:
    """What is wrong, whose it is, and the bytes: exactly, and as text."""
    with reading(letters) as ask:
        page = ask.read("/v1/dead-letters", role)
        whole = ask.read("/v1/dead-letters/1", role)
    assert [row["id"] for row in page["dead_letters"]] == [1, 2, 3]
    assert all("raw" not in row for row in page["dead_letters"])
    assert whole["error"] == "data.grade: 7 is not a CTCAE grade 1-5"
    assert (whole["site"], whole["subject"], whole["event_id"], whole["times"]) == ("FR01", "FR01-001", "e-7", 1)
    assert base64.b64decode(whole["raw_base64"]) == WRITTEN
    assert whole["raw"] == '{"subject": "Marie Curie", "grade": "\x1b[31m\\xff"}'


def test_an_operator_sees_nothing_that_anybody_wrote(letters: Database) -> None:
    """Reason, state and counts; neither bytes, nor the sentence that quotes them, nor an id."""
    with reading(letters) as ask:
        page, one = ask.get("/v1/dead-letters", "operator"), ask.get("/v1/dead-letters/1", "operator")
    assert [row["reason"] for row in page.json()["dead_letters"]] == ["bad-field", "not-json", "bad-field"]
    assert set(one.json()) == {
        *("id", "origin", "reason", "state", "is_severe", "position", "received_at", "last_seen_at", "times")
    }
    assert [secret for secret in SECRETS if secret in page.text + one.text] == []


def test_a_site_sees_what_it_sent_and_nothing_else(letters: Database) -> None:
    """Those of another site are not even found."""
    with reading(letters) as ask:
        assert [row["id"] for row in ask.read("/v1/dead-letters", "site-FR01")["dead_letters"]] == [1, 3]
        assert [row["id"] for row in ask.read("/v1/dead-letters", "site-FR02")["dead_letters"]] == [2]
        assert ask.read("/v1/dead-letters/1", "site-FR01")["raw_base64"]
        assert ask.get("/v1/dead-letters/1", "site-FR02").status_code == 404


def test_filters_and_pages(letters: Database) -> None:
    """By state and reason, and so many at a time."""
    with reading(letters) as ask:
        first = ask.read("/v1/dead-letters", reason="bad-field", limit=1)
        assert ([row["id"] for row in first["dead_letters"]], first["next"] & 0xFF) == ([1], 1)
        rest = ask.read("/v1/dead-letters", reason="bad-field", limit=2, after=first["next"])
        assert ([row["id"] for row in rest["dead_letters"]], rest["next"]) == ([3], None)
        assert ask.read("/v1/dead-letters", state="settled")["dead_letters"] == []


def test_of_an_erased_letter_only_that_it_was_there_is_left(letters: Database) -> None:
    """With who erased it, when, and why."""
    with letters.writing() as connection:
        delete(connection, Trial(PROTOCOL, SOURCE), 1, "u-0042", "a name in it", START + SECOND)
    with reading(letters) as ask:
        whole = ask.read("/v1/dead-letters/1")
    assert (whole["raw"], whole["raw_base64"], whole["headers"], whole["event_id"]) == (None, None, None, None)
    assert (whole["state"], whole["closed_by"], whole["closed_why"]) == ("deleted", "u-0042", "a name in it")
    assert whole["closed_at"] == "2017-03-20T09:00:01Z"
