"""Files of recipients, written with the secrets that they name."""

from __future__ import annotations

import base64
from pathlib import Path

from projections.protocols.isi_jx import PROTOCOL
from services.dispatcher.recipients import Recipients, load_recipients

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
MAIL_PASSWORD = "a mail password"


def write(directory: Path, text: str) -> Path:
    """The file, beside ``hook.secret`` and ``mail.password``."""
    for name, secret in (("hook.secret", WEBHOOK_SECRET), ("mail.password", MAIL_PASSWORD)):
        path = directory / name
        path.write_text(secret + "\n", encoding="utf-8")
        path.chmod(0o600)
    file = directory / "recipients.toml"
    file.write_text(text, encoding="utf-8")
    return file


def recipients(directory: Path, text: str) -> Recipients:
    """The file, read."""
    return load_recipients(write(directory, text), PROTOCOL)


def hook(url: str, name: str = "hook", more: str = "") -> str:
    """A webhook channel."""
    return f'[channels.{name}]\ntype = "webhook"\nurl = "{url}"\nsecret_file = "hook.secret"\n{more}\n'


def mail(port: int, more: str = 'tls = "none"') -> str:
    """A mail channel."""
    return f'[channels.mail]\ntype = "smtp"\nhost = "127.0.0.1"\nport = {port}\nfrom = "toxwatch@example.org"\n{more}\n'


def person(name: str, channels: str, more: str = "") -> str:
    """A recipient; ``channels`` by spaces."""
    listed = ", ".join(f'"{channel}"' for channel in channels.split())
    return (
        f'[[recipients]]\nname = "{name}"\nrole = "medical-monitor"\naddress = "{name}@example.org"\n'
        f"channels = [{listed}]\n{more}\n"
    )
