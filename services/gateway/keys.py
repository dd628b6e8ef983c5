"""API keys: made, verified, listed, revoked. The key itself is shown once and kept nowhere; its hash is.

A key is written ``txw_<id>_<secret>``. The id is public; the secret is 256 bits of chance, which nobody guesses, however quickly
a guess is refused: so the hash is SHA-256, and a guess at a known id costs next to nothing. Earlier versions kept an argon2 hash,
which costs a tenth of a second; it is verified once more when its key is used, and replaced.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi import Request
from sqlalchemy import Connection, Row, select, update

from events.dates import Instant
from events.errors import ToxwatchError
from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.tables import api_keys
from services.gateway.key_uses import NO_KEY, KeyUse, KeyUses, note
from services.gateway.sources import fault_of_pattern
from services.http.budgets import lease_of
from services.http.caller import Caller, Role
from services.http.problems import Problem, unavailable
from services.platform.time_source import Clock

SITE: Final = Role.SITE.value
ROLES: Final = tuple(Role)
#: The roles that write.
WRITERS: Final = (Role.SITE, Role.SPONSOR)
NAME_CHARS_MAX: Final = 200
SITE_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")

_KEY: Final = re.compile(r"txw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 6
_SHA_256: Final = "sha256:"
#: What earlier versions made hashes with.
_ARGON2: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class ApiKeyError(ToxwatchError):
    """A key cannot be made or revoked as asked."""


class NewKey(NamedTuple):
    """A key that was made. ``text`` is the key itself, and is not to be had again."""

    id: str
    text: str


def add_key(
    connection: Connection,
    role: str,
    site: str | None,
    name: str,
    now: Instant,
    expires: Instant | None = None,
    *,
    more_sites: Sequence[str] = (),
    sources: Sequence[str] = (),
) -> NewKey:
    """Make a key. Raises :class:`ApiKeyError` where role, sites and sources do not go together.

    ``sources`` are patterns of the sources that it writes from; none: its sites' own, or the sponsor's.
    """
    if role not in ROLES:
        raise ApiKeyError(f"role: {role!r} is none of {', '.join(ROLES)}")
    if (role == SITE) != (site is not None):
        raise ApiKeyError(
            "site: a site's key names its site" if role == SITE else "site: only the key of a site has one"
        )
    sites = [] if site is None else [site, *more_sites]
    _check_sources(role, sites, sources)
    if not name.isprintable() or len(name) > NAME_CHARS_MAX:
        raise ApiKeyError(f"name: one line of at most {NAME_CHARS_MAX} characters")
    if expires is not None and expires <= now:
        raise ApiKeyError("expires: that instant has passed")
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    row = {"id": key_id, "role": role, "site": site, "name": name, "hash": _hash_of(secret)}
    lists = {"more_sites": _listed(sites[1:]), "sources": _listed(sources)}
    connection.execute(api_keys.insert().values(**row, **lists, created_at=now, expires_at=expires))
    return NewKey(key_id, f"txw_{key_id}_{secret}")


def _check_sources(role: str, sites: Sequence[str], sources: Sequence[str]) -> None:
    for site in sites:
        if not SITE_PATTERN.fullmatch(site):
            raise ApiKeyError(f"site: {site!r} is not the id of a site, such as FR01")
    if sources and role not in WRITERS:
        raise ApiKeyError(f"source: a {role} key writes nothing")
    for source in sources:
        if fault := fault_of_pattern(source, sites):
            raise ApiKeyError(f"source: {source!r}: {fault}")


def _listed(texts: Sequence[str]) -> str | None:
    return json.dumps(list(dict.fromkeys(texts))) if texts else None


def caller_of_row(row: Row[Any]) -> Caller:
    """Who calls with a key."""
    sources = None if row.sources is None else tuple(json.loads(row.sources))
    return Caller(row.id, row.role, row.site, tuple(json.loads(row.more_sites or "[]")), sources)


def list_keys(connection: Connection) -> Sequence[Row[Any]]:
    """Every key there ever was, without its hash."""
    columns = [column for column in api_keys.c if column.name != "hash"]
    return connection.execute(select(*columns).order_by(api_keys.c.created_at, api_keys.c.id)).all()


def revoke_key(connection: Connection, key_id: str, now: Instant) -> bool:
    """Revoke a key for good; False where it was revoked before. Raises :class:`ApiKeyError` where there is none."""
    if connection.scalar(select(api_keys.c.id).where(api_keys.c.id == key_id)) is None:
        raise ApiKeyError(f"there is no key {key_id!r}")
    unrevoked = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    return connection.execute(update(api_keys).where(unrevoked).values(revoked_at=now)).rowcount > 0


class KeyRing:
    """Says who is calling. A key's row is read for each request, so that revocation and expiry take effect at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.uses: Final = KeyUses(database, clock)
        self._database = database
        self._clock = clock
        self._hashing = threading.Lock()

    def authenticate(self, request: Request) -> Caller:
        """Who sent a request, which counts for his key from now on.

        Raises a :class:`Problem`: one and the same whatever is wrong with the key; another where it has too many requests.
        """
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        caller = self._look_up(text.strip()) if scheme.lower() == "bearer" else KeyUse(NO_KEY, "missing")
        note(request.scope, caller if isinstance(caller, KeyUse) else KeyUse(caller.key_id, None))
        if isinstance(caller, KeyUse):
            detail = "send a valid API key as 'Authorization: Bearer …'"
            raise Problem(401, "No valid key", detail, {"WWW-Authenticate": 'Bearer realm="toxwatch"'})
        lease_of(request).take(caller.key_id)
        return caller

    def caller_of(self, text: str) -> Caller | None:
        """Whose key it is; None where it is nobody's, expired or revoked."""
        found = self._look_up(text)
        return None if isinstance(found, KeyUse) else found

    def _look_up(self, text: str) -> Caller | KeyUse:
        """Whose key it is, or why it is refused."""
        found = _KEY.fullmatch(text)
        if found is None:
            return KeyUse(NO_KEY, "malformed")
        with self._database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == found[1])).one_or_none()
        if row is None:
            return KeyUse(NO_KEY, "unknown")
        if row.revoked_at is not None:
            return KeyUse(row.id, "revoked")
        if row.expires_at is not None and row.expires_at <= self._clock.now():
            return KeyUse(row.id, "expired")
        return caller_of_row(row) if self._is_right(row.id, found[2], row.hash) else KeyUse(row.id, "wrong")

    def _is_right(self, key_id: str, secret: str, kept: str) -> bool:
        if kept.startswith(_SHA_256):
            return hmac.compare_digest(_hash_of(secret), kept)
        # One at a time, and nobody waits: guesses at such a key take neither every thread nor every core.
        if not self._hashing.acquire(blocking=False):
            raise unavailable("a key of an earlier version is being verified; send the same again")
        try:
            if not _matches(secret, kept):
                return False
        finally:
            self._hashing.release()
        self._replace_hash(key_id, secret, kept)
        return True

    def _replace_hash(self, key_id: str, secret: str, kept: str) -> None:
        """From now on the key is verified like any other. Where the store takes no write now, the next time."""
        this = (api_keys.c.id == key_id) & (api_keys.c.hash == kept)
        with suppress(StoreUnavailable), self._database.writing() as connection:
            connection.execute(update(api_keys).where(this).values(hash=_hash_of(secret)))


def _hash_of(secret: str) -> str:
    return _SHA_256 + hashlib.sha256(secret.encode()).hexdigest()


def _matches(secret: str, kept: str) -> bool:
    try:
        return _ARGON2.verify(kept, secret)
    except VerifyMismatchError:
        return False
