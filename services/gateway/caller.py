"""Who is calling: what a verified API key says."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a key is for."""

    SITE = "site"
    SPONSOR = "sponsor"
    MEDICAL_MONITOR = "medical-monitor"
    DATA_MANAGER = "data-manager"
    INSPECTOR = "inspector"
    OPERATOR = "operator"


class Caller(NamedTuple):
    """``site`` is set for the role of that name, and for no other."""

    key_id: str
    role: str
    site: str | None
