"""API keys: made, verified, revoked, expired; and nowhere in clear."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from projections.store.database import Database
from projections.store.tables import api_keys
from services.gateway.caller import Caller, Role
from services.gateway.keys import ApiKeyError, KeyRing, add_key, list_keys, revoke_key
from services.logs import configure_logs
from tests.gateway.serving import NOW, Gateway, ae, later


def test_a_key_says_who_is_calling(any_gateway: Gateway) -> None:
    """Its id, its role, and the site of a site's."""
    for who, role, site in [("FR01", "site", "FR01"), *((role, role, None) for role in Role if role != Role.SITE)]:
        key = any_gateway.key(who)
        assert re.fullmatch(r"txw_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key.text)
        assert any_gateway.ring.caller_of(key.text) == Caller(key.id, role, site)


def test_another_keys_secret_opens_nothing(gateway: Gateway) -> None:
    """Nor does an id with a secret that was guessed, however often."""
    mine, other = gateway.key("FR01"), gateway.key("FR02")
    mixed = f"txw_{mine.id}_{other.text.rpartition(other.id + '_')[2]}"
    assert [gateway.ring.caller_of(mixed) for _ in range(3)] == [None] * 3
    assert gateway.ring.caller_of(mine.text) is not None


def test_revocation_takes_effect_at_once(any_gateway: Gateway) -> None:
    """For the next request, though the key was verified and remembered; for good."""
    assert any_gateway.post(ae(1)).status_code == 202
    with any_gateway.database.writing() as connection:
        assert revoke_key(connection, any_gateway.key("FR01").id, NOW)
        assert not revoke_key(connection, any_gateway.key("FR01").id, NOW + 1)
    assert any_gateway.post(ae(2)).status_code == 401
    with any_gateway.database.reading() as connection:
        assert connection.scalar(select(api_keys.c.revoked_at)) == NOW
    with pytest.raises(ApiKeyError, match="there is no key 'x'"), any_gateway.database.writing() as connection:
        revoke_key(connection, "x", NOW)


def test_a_key_expires_by_the_clock(gateway: Gateway) -> None:
    """At the instant itself it is no longer valid."""
    with gateway.database.writing() as connection:
        key = add_key(connection, "site", "FR01", "", NOW, NOW + 60_000_000)
    assert gateway.ring.caller_of(key.text) is not None
    later(gateway.clock)
    assert gateway.ring.caller_of(key.text) is None


@pytest.mark.parametrize(
    ("role", "site", "name", "expires", "error"),
    [
        ("site", None, "", None, "a site's key names its site"),
        ("sponsor", "FR01", "", None, "only the key of a site has one"),
        ("root", None, "", None, "role: 'root' is none of site, sponsor"),
        ("site", "a b", "", None, "site: 'a b' is not the id of a site"),
        ("site", "FR01", "a\nb", None, "name: one line"),
        ("site", "FR01", "", NOW, "expires: that instant has passed"),
    ],
)
def test_a_key_that_cannot_be(
    gateway: Gateway, role: str, site: str | None, name: str, expires: int | None, error: str
) -> None:
    """Each with its sentence."""
    with pytest.raises(ApiKeyError, match=error), gateway.database.writing() as connection:
        add_key(connection, role, site, name, NOW, expires)


def test_the_key_is_nowhere_in_clear(gateway: Gateway, tmp_path: Path) -> None:
    """Neither in the files of the database, nor in the list, nor in the logs of good and bad requests."""
    written = io.StringIO()
    configure_logs("debug", written)
    key = gateway.key("FR01")
    secret = key.text.rpartition(key.id + "_")[2]
    assert gateway.post(ae(1)).status_code == 202
    assert gateway.post(ae(2, data={"grade": 9})).status_code == 422
    assert gateway.post(ae(2), "text/plain").status_code == 415
    headers = {"authorization": f"Bearer {key.text}x", "content-type": "application/json"}
    assert gateway.client.post(f"/v1/events?key={key.text}", headers=headers).status_code == 401
    with gateway.database.reading() as connection:
        listed = str([row._asdict() for row in list_keys(connection)])
    assert key.id in listed
    assert "argon2" not in listed
    assert key.id in written.getvalue()
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert any(key.id.encode() in content for content in files)
    for text in (listed, written.getvalue(), *files):
        assert (secret.encode() if isinstance(text, bytes) else secret) not in text


def test_guesses_at_a_key_do_not_keep_others_out(sqlite: Database, gateway: Gateway) -> None:
    """They wait for each other; a key that is in use is not hashed again."""
    mine = gateway.key("FR01")
    ring = KeyRing(sqlite, gateway.clock)
    assert ring.caller_of(mine.text) is not None
    stop = threading.Event()

    def guess(number: int) -> None:
        while not stop.is_set():
            number += 100
            ring.caller_of(f"txw_{mine.id}_{number:043}")

    guessing = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in guessing:
        thread.start()
    try:
        assert all(ring.caller_of(mine.text) is not None for _ in range(50))
    finally:
        stop.set()
        for thread in guessing:
            thread.join()
