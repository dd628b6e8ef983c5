"""Who types a command: the person as the operating system knows them, also behind sudo."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

#: What the kernel says of a session that nobody signed in to, as in a container.
_NOBODY_SIGNED_IN: Final = 2**32 - 1
_LOGIN: Final = Path("/proc/self/loginuid")


def operator_name() -> str:
    """The person's account; where the command runs as another, ``alice as root``.

    The kernel remembers who signed in, and cannot be told otherwise. Where it does not know, what sudo says is believed from
    root alone: anybody can set a variable.
    """
    runs_as = os.getuid()
    person = _signed_in()
    if person is None and runs_as == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        person = int(os.environ["SUDO_UID"])
    if person is None or person == runs_as:
        return _name(runs_as)
    return f"{_name(person)} as {_name(runs_as)}"


def _signed_in() -> int | None:
    try:
        uid = int(_LOGIN.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if uid == _NOBODY_SIGNED_IN else uid


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
