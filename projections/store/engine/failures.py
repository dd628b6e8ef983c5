"""What can go wrong with an entry of the log that is nobody's mistake but ours."""

from __future__ import annotations

from typing import ClassVar

from events.errors import EventRefused


class DecodingFailed(EventRefused):
    """Reading an entry raised what no refusal is: a fault of ours. ``cause`` is what was raised."""

    reason: ClassVar[str] = "not-readable"

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"reading it raised {type(cause).__name__}, which is a fault of Toxwatch")
        self.cause = cause
