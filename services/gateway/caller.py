"""Who is calling: what a verified API key says."""

from __future__ import annotations

from typing import NamedTuple


class Caller(NamedTuple):
    """``site`` is set for the role of that name, and for no other."""

    key_id: str
    role: str
    site: str | None
