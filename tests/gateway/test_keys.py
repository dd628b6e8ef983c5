"""API keys: made, verified, revoked, expired; and nowhere in clear."""

from __future__ import annotations

import io
import re
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from projections.store.engine.tables import api_keys
from services.gateway.keys import ApiKeyError, NewKey, add_key, list_keys, revoke_key
from services.http.caller import Caller, Role
from services.http.problems import Problem
from services.platform.logs import configure_logs
from services.platform.time_source import elapsed_seconds
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
    assert "sha256:" not in listed
    assert key.id in written.getvalue()
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert any(key.id.encode() in content for content in files)
    for text in (listed, written.getvalue(), *files):
        assert (secret.encode() if isinstance(text, bytes) else secret) not in text


def hash_of(gateway: Gateway, key_id: str) -> str:
    with gateway.database.reading() as connection:
        return str(connection.scalar(select(api_keys.c.hash).where(api_keys.c.id == key_id)))


def with_an_old_hash(gateway: Gateway, who: str) -> NewKey:
    """A key as an earlier version kept it."""
    key = gateway.key(who)
    old = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(key.text.rpartition(key.id + "_")[2])
    with gateway.database.writing() as connection:
        connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(hash=old))
    return key


def test_a_guess_at_a_known_key_costs_next_to_nothing(gateway: Gateway) -> None:
    """Two hundred guesses take less time than two did."""
    mine = gateway.key("FR01")
    assert hash_of(gateway, mine.id).startswith("sha256:")
    began = elapsed_seconds()
    for number in range(200):
        assert gateway.ring.caller_of(f"txw_{mine.id}_{number:043}") is None
    assert elapsed_seconds() - began < 10


def test_a_key_of_an_earlier_version_still_opens_and_gets_the_new_hash(any_gateway: Gateway) -> None:
    """At its first use, once; a guess at it changes nothing."""
    key = with_an_old_hash(any_gateway, "FR01")
    assert any_gateway.ring.caller_of(f"txw_{key.id}_{'a' * 43}") is None
    assert hash_of(any_gateway, key.id).startswith("$argon2")
    assert any_gateway.post(ae(1)).status_code == 202
    assert hash_of(any_gateway, key.id).startswith("sha256:")
    assert any_gateway.post(ae(2)).status_code == 202
    assert any_gateway.ring.caller_of(f"txw_{key.id}_{'a' * 43}") is None


def test_guesses_at_an_old_key_do_not_keep_others_out(gateway: Gateway) -> None:
    """One is verified at a time, the others are turned away at once; whoever has a key of this version is not concerned."""
    mine, old = gateway.key("FR01"), with_an_old_hash(gateway, "FR02")
    stop = threading.Event()

    def guess(number: int) -> None:
        while not stop.is_set():
            number += 100
            with suppress(Problem):
                gateway.ring.caller_of(f"txw_{old.id}_{number:043}")

    guessing = [threading.Thread(target=guess, args=(number,)) for number in range(4)]
    for thread in guessing:
        thread.start()
    try:
        assert all(gateway.ring.caller_of(mine.text) is not None for _ in range(50))
    finally:
        stop.set()
        for thread in guessing:
            thread.join()
