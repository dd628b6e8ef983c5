"""The key under which a deployment's backups are sealed: one that was changed cannot be sealed again without it.

It is kept apart from the backups, readable by its owner alone: where ``TOXWATCH_BACKUP_KEY`` says, else in the account's
configuration directory (``~/.config/toxwatch``), else, where there is none, in the data directory. The first backup makes it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from events.errors import ToxwatchError
from services.platform.settings import Settings

KEY_FILE: Final = "backup.key"
MODE: Final = 0o600
_KEY: Final = re.compile(rb"[0-9a-f]{64}")
#: What is written behind the last page of a backup, where SQLite does not look: always as long.
_SEAL: Final = b"\ntoxwatch-backup hmac-sha256 key=%s %s\n"
_SEALED: Final = re.compile(rb"\ntoxwatch-backup hmac-sha256 key=([0-9a-f]{8}) ([0-9a-f]{64})\n")
SEAL_BYTES: Final = len(_SEAL % (b"0" * 8, b"0" * 64))
_PIECE: Final = 1024 * 1024


class BackupKeyError(ToxwatchError):
    """There is no key, or none that may be used."""


class BackupKey(NamedTuple):
    """A key, and the file that it is in."""

    secret: bytes
    path: Path

    @property
    def name(self) -> bytes:
        """Tells keys apart, and says nothing of the key."""
        return hashlib.sha256(b"toxwatch backup key " + self.secret).hexdigest()[:8].encode()


class Seal(NamedTuple):
    """The seal at the end of a backup: by which key, and the HMAC of everything before it."""

    key: bytes
    mac: bytes


def find_key(settings: Settings, named: Path | None = None) -> BackupKey | None:
    """The deployment's key; None where there is none yet. Raises :class:`BackupKeyError` where one must not be used."""
    for path in [named] if named is not None else _places(settings):
        if path.exists():
            return _read(path)
    return None


def make_key(settings: Settings) -> BackupKey:
    """The deployment's key, made where there is none."""
    found = find_key(settings)
    if found is not None:
        return found
    refused: OSError | None = None
    for path in _places(settings):
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, MODE)
        except OSError as error:
            refused = error
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return _read(path)
    raise BackupKeyError(f"no key for backups can be made: {refused}; name a file for it in TOXWATCH_BACKUP_KEY")


def seal(backup: Path, key: BackupKey) -> None:
    """Write the seal behind a backup."""
    mac = _mac(backup, key, backup.stat().st_size)
    with backup.open("ab") as file:
        file.write(_SEAL % (key.name, mac))


def seal_of(backup: Path) -> Seal | None:
    """The seal behind a backup; None where there is none."""
    size = backup.stat().st_size
    with backup.open("rb") as file:
        file.seek(max(0, size - SEAL_BYTES))
        found = _SEALED.fullmatch(file.read())
    return Seal(found[1], found[2]) if found else None


def is_sealed_by(backup: Path, key: BackupKey, found: Seal) -> bool:
    """Whether nobody without the key has changed the backup."""
    return hmac.compare_digest(_mac(backup, key, backup.stat().st_size - SEAL_BYTES), found.mac)


def _mac(backup: Path, key: BackupKey, size: int) -> bytes:
    made = hmac.new(key.secret, digestmod=hashlib.sha256)
    with backup.open("rb") as file:
        while size > 0 and (piece := file.read(min(_PIECE, size))):
            made.update(piece)
            size -= len(piece)
    return made.hexdigest().encode()


def _places(settings: Settings) -> list[Path]:
    if settings.backup_key is not None:
        return [settings.backup_key]
    home = os.environ.get("XDG_CONFIG_HOME") or (f"{os.environ['HOME']}/.config" if os.environ.get("HOME") else None)
    places = [Path(home) / "toxwatch" / f"backup-{settings.deployment}.key"] if home else []
    return [*places, *([settings.data / KEY_FILE] if settings.data is not None else [])]


def _read(path: Path) -> BackupKey:
    if path.stat().st_mode & 0o077:
        raise BackupKeyError(f"{path}: others can read the key of the backups; make it yours alone (chmod 600)")
    secret = path.read_bytes().strip()
    if not _KEY.fullmatch(secret):
        raise BackupKeyError(f"{path}: this is no key of backups, which is 64 hexadecimal digits")
    return BackupKey(secret, path)
