"""What can go wrong, as a tree.

ToxwatchError
└── EventRefused              one event is not taken; what is valid behind it goes on
    ├── NotJson               not one JSON object in UTF-8
    ├── TooLarge              more bytes than one event may have
    ├── UnknownType           no such event type, or no such version of it
    ├── UnknownField          a field in `data` that the contract does not have
    ├── BadField              a field is missing, or its value breaks a rule
    ├── WrongTrial            an event of another trial
    ├── ForeignSubject        the subject id is not of the trial's pattern, or is not of the site that the event names
    ├── ForeignSource         a type that only Toxwatch publishes, from somebody else
    ├── IdConflict            the id was used before, with other content or for another subject
    ├── RecordOwnerConflict   a second source writes to a record
    ├── Unreadable            a batch of a Kafka topic that nothing can be read of
    └── TakingFailed          a bug of Toxwatch, met in taking this one

``retriable`` is marked on the class: whether the same call may succeed later without anybody changing anything.
"""

from __future__ import annotations

from typing import ClassVar


class ToxwatchError(Exception):
    """The root of everything that Toxwatch raises on purpose."""

    retriable: ClassVar[bool] = False


class EventRefused(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """One event was refused. ``error`` is written for the data manager who has to mend it.

    ``reason`` on the class is the word for metrics and lists. ``subject`` is set only when it is an id of the trial's
    pattern: anything else may be a name or a birth date.
    """

    reason: ClassVar[str] = "refused"

    def __init__(self, error: str, *, field: str = "", event_id: str | None = None, subject: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.field = field
        self.event_id = event_id
        self.subject = subject


class NotJson(EventRefused):
    """The line is not one JSON object in UTF-8."""

    reason: ClassVar[str] = "not-json"


class TooLarge(EventRefused):
    """The line has more bytes than one event may have."""

    reason: ClassVar[str] = "too-large"


class UnknownType(EventRefused):
    """There is no such event type, or no such version of it."""

    reason: ClassVar[str] = "unknown-type"


class UnknownField(EventRefused):
    """``data`` has a field that the contract does not have."""

    reason: ClassVar[str] = "unknown-field"


class BadField(EventRefused):
    """A field is missing, or its value breaks a rule."""

    reason: ClassVar[str] = "bad-field"


class WrongTrial(EventRefused):
    """The event belongs to another trial."""

    reason: ClassVar[str] = "wrong-trial"


class ForeignSubject(EventRefused):
    """The subject id is not of the trial's pattern, or is not of the site that the event names."""

    reason: ClassVar[str] = "foreign-subject"


class ForeignSource(EventRefused):
    """Only Toxwatch publishes this type."""

    reason: ClassVar[str] = "foreign-source"


class IdConflict(EventRefused):
    """The source used this id before, with other content or for another subject. The first in the log stands."""

    reason: ClassVar[str] = "id-conflict"


class RecordOwnerConflict(EventRefused):
    """A second source writes to a record. The first in the log owns it."""

    reason: ClassVar[str] = "record-owner-conflict"


class Unreadable(EventRefused):
    """Records of a Kafka topic of which not even the bytes of each can be told: it may be anything, a death among it."""

    reason: ClassVar[str] = "unreadable"


class TakingFailed(EventRefused):
    """A bug of Toxwatch, and no fault of the sender's; what is behind it goes on."""

    reason: ClassVar[str] = "taking-failed"
