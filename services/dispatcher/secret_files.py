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


def read_password(key: str, path: Path) -> SecretStr:
    """The password in a file. Raises ``ValueError`` with a sentence about ``key``."""
    return SecretStr(_text(key, path))


def read_webhook_secret(key: str, path: Path) -> SecretStr:
    """The secret ``whsec_…`` in a file. Raises ``ValueError`` with a sentence about ``key``."""
    text = _text(key, path)
    try:
        if not text.startswith(WEBHOOK_PREFIX):
            raise ValueError
        size = len(base64.b64decode(text.removeprefix(WEBHOOK_PREFIX), validate=True))
    except (ValueError, binascii.Error):
        raise ValueError(f"{key}: {path} must hold whsec_ followed by base64") from None
    if size not in WEBHOOK_SECRET_BYTES:
        raise ValueError(f"{key}: the secret in {path} has {size} bytes; 24 to 64 are needed")
    return SecretStr(text)


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
    if not text or not text.isprintable():
        raise ValueError(f"{key}: {path} must hold one line")
    return text
