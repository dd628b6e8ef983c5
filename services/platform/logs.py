"""What Toxwatch logs: one JSON object a line on standard error; on a terminal, lines for people. ``NO_COLOR`` is obeyed.

Logs go where clinical data must not: to collectors, tickets and screens. So a field is written only if its name is on the list
below, an exception is told by its type and place and seldom by its words (``log_exceptions``), and what other libraries log is
cut to what they themselves have worded. Whatever is left out is named in ``withheld``, so that its absence is no riddle.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from events.catalog import CLASS_BY_TYPE
from services.platform.log_exceptions import frames_of, told
from services.platform.printable import printable

#: Every field that may be logged. None holds what a sender wrote, save the ids of events, their types, sources and sites.
#: ``error`` is an exception, or the name of one, never a text; ``trouble`` is a sentence of our own.
FIELDS: Final = frozenset(
    {
        # which
        *(
            "alert_id",
            "alerts",
            "delivery",
            "event_id",
            "key_id",
            "keys",
            "letter_id",
            "request_id",
            "revision",
            "type",
        ),
        # where in a log
        *("consumer", "generation", "last", "offset", "partition", "position", "topic"),
        # what of the deployment
        *(
            "address",
            "channel",
            "component",
            "deployment",
            "file",
            "host",
            "loop",
            "name",
            "part",
            "partitions",
            "path",
            "port",
            "protocol",
        ),
        *("recipient", "role", "rules_version", "schema_version", "signal", "site", "source", "step", "version"),
        # how it went
        *("action", "attempt", "error", "method", "outcome", "reason", "reasons", "state", "status", "trouble"),
        *("urgency", "verdict", "where"),
        # how many, how long, when
        *("accepted", "attempts", "bytes", "count", "duplicate", "events", "lag", "refused", "requests", "total"),
        *("delay_seconds", "due", "leap_seconds", "not_before", "retry_seconds", "seconds", "speed"),
    }
)
#: What the logging itself adds.
OWN_FIELDS: Final = frozenset({"event", "level", "timestamp", "exception"})

EVENT_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
#: Fields into which a sender's sentence might find its way: what is no single word is withheld.
NO_TEXT: Final = frozenset({"error", "event_id", "source", "site"})
ID: Final = re.compile(r"[^\s\x00-\x1f]{1,200}")
TEXT_CHARS_MAX: Final = 300

#: Libraries whose messages hold addresses and numbers; of others' the pattern is shown, without what was put into it.
WORDED: Final = frozenset({"uvicorn"})
#: Loggers that say too much when they are asked to say more: statements with values, requests with their query, each step.
KEPT_QUIET: Final = (
    "aiokafka",
    "alembic",
    "faust",
    "kafka",
    "mode",
    "sqlalchemy",
    "httpx2",
    "httpcore2",
    "asyncio",
    "uvicorn.access",
)

SECRETS: Final = re.compile(
    r"txw_\S+|whsec_\S+|(?<=://)[^/@\s]+(?=@)|(?<=\bBearer )\S+|(?<=\bBasic )\S+", re.IGNORECASE
)
MASK: Final = "xxxxx"


def configure_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Send what is logged from now on, by Toxwatch and by libraries, to ``stream`` (standard error)."""
    stream = stream or sys.stderr
    common: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_words,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_as_the_library_words_it, *common],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _within_bounds,
                *(_for_people() if stream.isatty() else [structlog.processors.JSONRenderer()]),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in KEPT_QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *common,
            only_what_may_be_logged,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def only_what_may_be_logged(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The event without the fields that are not on the list, or that hold what does not belong there."""
    kept = {name: value for name, value in event.items() if _may_be_logged(name, value)}
    withheld = sorted(event.keys() - kept.keys())
    if withheld:
        kept["withheld"] = withheld
    return kept


def _may_be_logged(name: str, value: object) -> bool:
    if name == "event":
        return isinstance(value, str) and EVENT_NAME.fullmatch(value) is not None
    if name == "type":
        return isinstance(value, str) and value in CLASS_BY_TYPE
    if name in NO_TEXT:
        return value is None or isinstance(value, BaseException) or ID.fullmatch(str(value)) is not None
    if isinstance(value, Mapping) and not all(_is_count(*item) for item in value.items()):
        # What it holds has names of its own, that nobody has looked at.
        return False
    return name in FIELDS or name in OWN_FIELDS


def _is_count(what: object, count: object) -> bool:
    return isinstance(what, str) and ID.fullmatch(what) is not None and isinstance(count, int)


def _exception_without_words(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if found and not isinstance(found, BaseException):
        found = (found if isinstance(found, tuple) else sys.exc_info())[1]
    if found:
        event["exception"] = frames_of(found)
    return event


def _as_the_library_words_it(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    message = event["event"] if record.name.partition(".")[0] in WORDED else str(record.msg)
    # What follows the first line are representations of objects.
    rest = {name: value for name, value in event.items() if name != "event"}
    return {"event": message.partition("\n")[0], "logger": record.name, **rest}


def _within_bounds(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: _bounded(value) for name, value in event.items()}


def _bounded(value: Any) -> Any:
    """The value as it can be written: not endless, and without a secret that its name does not give away."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _bounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_bounded(each) for each in value]
    text = SECRETS.sub(MASK, told(value) if isinstance(value, BaseException) else str(value))
    return text if len(text) <= TEXT_CHARS_MAX else text[:TEXT_CHARS_MAX] + "…"


def _for_people() -> list[Processor]:
    return [_on_lines, structlog.dev.ConsoleRenderer(colors=not os.environ.get("NO_COLOR"))]


def _on_lines(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Nothing that steers a terminal; an exception a line a place."""
    shown: EventDict = {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}
    if "exception" in shown:
        shown["exception"] = "\n".join(map(printable, shown["exception"]))
    return shown
