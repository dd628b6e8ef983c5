"""Secrets in files that only their owner, or a group, may read. No sentence here quotes what is in them."""

from __future__ import annotations

import base64
import binascii
import stat
from pathlib import Path
from typing import Final

from pydantic import SecretStr

WEBHOOK_PREFIX: Final = "whsec_"
#: The sizes that Standard Webhooks asks for.
WEBHOOK_SECRET_BYTES: Final = range(24, 65)


#: How many secrets one webhook may have at a time: the newest, and those that receivers have not given up yet.
WEBHOOK_SECRETS_MAX: Final = 4


def read_password(key: str, path: Path) -> SecretStr:
    """The password in a file. Raises ``ValueError`` with a sentence about ``key``."""
    text = _text(key, path)
    if not text.isprintable():
        raise ValueError(f"{key}: {path} must hold one line")
    return SecretStr(text)


def read_webhook_secrets(key: str, path: Path) -> tuple[SecretStr, ...]:
    """The secrets ``whsec_…`` in a file, one a line, the newest first. Raises ``ValueError`` with a sentence about ``key``."""
    lines = [line.strip() for line in _text(key, path).splitlines()]
    if len(lines) > WEBHOOK_SECRETS_MAX:
        raise ValueError(f"{key}: {path} has {len(lines)} lines; it may hold at most {WEBHOOK_SECRETS_MAX} secrets")
    numbers: dict[bytes, int] = {}
    for number, line in enumerate(lines, start=1):
        where = f"line {number} of {path}" if len(lines) > 1 else str(path)
        secret = _webhook_secret(key, line, where)
        if (first := numbers.setdefault(secret, number)) != number:
            raise ValueError(f"{key}: lines {first} and {number} of {path} are the same secret; remove one of them")
    return tuple(SecretStr(line) for line in lines)


def _webhook_secret(key: str, text: str, where: str) -> bytes:
    """The bytes of one secret."""
    try:
        if not text.startswith(WEBHOOK_PREFIX):
            raise ValueError
        secret = base64.b64decode(text.removeprefix(WEBHOOK_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"{key}: {where} must hold whsec_ followed by base64") from None
    if len(secret) not in WEBHOOK_SECRET_BYTES:
        raise ValueError(f"{key}: the secret in {where} has {len(secret)} bytes; 24 to 64 are needed")
    return secret


def _text(key: str, path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & stat.S_IRWXO:
            raise ValueError(f"{key}: every user of this machine can use {path}; chmod 600 it")
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{key}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{key}: {path} is not text") from None
    if not text:
        raise ValueError(f"{key}: {path} is empty")
    return text
