"""Who types a command: the account that signed in, not what a variable claims."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from services.terminal import operator
from services.terminal.operator import operator_name

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says of who signed in: nothing yet."""
    path = tmp_path / "loginuid"
    monkeypatch.setattr(operator, "_LOGIN", path)
    for name in ("SUDO_UID", "SUDO_USER", "LOGNAME", "USER"):
        monkeypatch.delenv(name, raising=False)
    return path


def test_who_signed_in_is_named_also_behind_sudo(login: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's word counts before sudo's."""
    login.write_text(str(os.getuid()))
    assert operator_name() == ME
    login.write_text("1")
    monkeypatch.setenv("SUDO_UID", "2")
    assert operator_name() == f"{pwd.getpwuid(1).pw_name} as {ME}"


def test_where_nobody_signed_in_it_is_who_it_runs_as(login: Path) -> None:
    """As in a container."""
    assert operator_name() == ME
    login.write_text(str(2**32 - 1))
    assert operator_name() == ME


def test_sudo_is_believed_from_root_alone(login: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can set a variable."""
    monkeypatch.setenv("SUDO_UID", "1")
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert operator_name() == f"{pwd.getpwuid(1).pw_name} as root"
    monkeypatch.setattr(os, "getuid", lambda: 2)
    assert operator_name() == pwd.getpwuid(2).pw_name


def test_an_account_without_a_name_has_its_number(login: Path) -> None:
    login.write_text("4123456789")
    assert operator_name().startswith("uid 4123456789 as ")
