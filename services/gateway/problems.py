"""Errors of a whole request, as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that cannot be answered: ``title`` names the kind of problem, ``detail`` is written for who sent it."""

    def __init__(self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
