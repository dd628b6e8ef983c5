"""The events of a request, in every mode of the CloudEvents HTTP binding, each with the bytes that its sender wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from events.base64_data import BadBase64, with_plain_data
from events.codec import LINE_BYTES_MAX
from events.errors import BadField, EventRefused, NotJson, TooLarge
from events.faults import show
from events.triage import ID_CHARS_MAX
from services.gateway.splitting import TooManyError, elements, lines
from services.http.problems import Problem

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
BINARY: Final = "application/json"
LINES: Final = "application/x-ndjson"
MODES: Final = (STRUCTURED, BATCHED, BINARY, LINES)

EVENTS_MAX: Final = 10_000

_ATTRIBUTE: Final = "ce-"
_WHITE: Final = b" \t\r\n"
_UNDECODED: Final = "surrogateescape"

Headers = Iterable[tuple[bytes, bytes]]


class ReceivedMessage(NamedTuple):
    """What a sender means as one event: ``raw`` as it came, ``event`` as structured JSON.

    ``headers`` are those that are part of it (binary mode); ``fault`` says why it cannot be an event at all.
    """

    raw: bytes
    event: bytes
    headers: str | None = None
    fault: EventRefused | None = None


class MediaType(NamedTuple):
    """A content type, in lower case."""

    name: str
    parameters: str

    @property
    def is_plain(self) -> bool:
        """Whether its parameters say no more than that JSON is UTF-8."""
        return self.parameters.replace('"', "").replace(" ", "") in ("", "charset=utf-8")


def media_type_of(headers: Mapping[str, str]) -> MediaType:
    """What the body is. Raises a :class:`Problem` where it is nothing that is read here."""
    content_type, encoding = headers.get("content-type"), headers.get("content-encoding")
    if content_type is None and f"{_ATTRIBUTE}specversion" in headers:
        content_type = BINARY  # what the data of an event is that says nothing of it
    name, _, parameters = (content_type or "").partition(";")
    media = MediaType(name.strip().lower(), parameters.strip().rstrip(";").lower())
    if media.name not in MODES:
        raise _unsupported(f"{media.name[:60]!r} is not read here; send one of {', '.join(MODES)}")
    if "charset" in media.parameters and "charset=utf-8" not in media.parameters.replace('"', ""):
        raise _unsupported("JSON travels in UTF-8 only")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise _unsupported("a compressed body is not read here; send it as it is")
    return media


def messages_of(media: MediaType, headers: Headers, body: bytes) -> list[ReceivedMessage]:
    """The events of a body, in order. Raises a :class:`Problem` where there are too many."""
    if media.name == STRUCTURED:
        return [_structured(body)]
    if media.name == BINARY:
        return [_binary(media, headers, body)]
    try:
        if media.name == LINES:
            return [_structured(line) for line in lines(body, EVENTS_MAX)]
        pieces, complaint = elements(body, EVENTS_MAX)
    except TooManyError:
        raise Problem(413, "Too many events", f"at most {EVENTS_MAX} events are taken in one request") from None
    messages = [_structured(piece) for piece in pieces]
    if complaint is not None:
        fault = NotJson(complaint.sentence)
        messages.append(ReceivedMessage(complaint.rest, complaint.rest, fault=fault))
    return messages


def message_again(raw: bytes, kept: list[list[str]] | None) -> ReceivedMessage:
    """A message that was parked: ``raw`` as it came, and the attributes that were kept of one in binary mode."""
    return _structured(raw) if kept is None else _composed([(name, text) for name, text in kept], raw)


def _unsupported(detail: str) -> Problem:
    return Problem(415, "Unsupported media type", detail, {"Accept-Post": ", ".join(MODES)})


def _structured(raw: bytes) -> ReceivedMessage:
    """An event in JSON; with ``data`` where its sender's library made base64 of it."""
    event = raw.strip(_WHITE)
    if len(event) <= LINE_BYTES_MAX:  # what is larger is refused, and not worth reading
        with suppress(BadBase64):  # the reader of the event says so
            event = with_plain_data(event)
    return ReceivedMessage(raw, event)


def _binary(media: MediaType, headers: Headers, body: bytes) -> ReceivedMessage:
    """The attributes are headers, the data is the body."""
    attributes: list[tuple[str, str]] = []
    fault: EventRefused | None = None
    for header, raw in headers:
        if not header.lower().startswith(_ATTRIBUTE.encode()):
            continue
        name = header.decode("latin-1").lower().removeprefix(_ATTRIBUTE)
        value = _value(raw)
        attributes.append((name, value))
        if fault is None and not _is_text(value):
            rule = f"{name}: the header {show(_ATTRIBUTE + name)} is percent-encoded, and what it encodes is not UTF-8"
            fault = BadField(rule, field=name)
    if attributes and not media.is_plain:
        attributes.append(("datacontenttype", f"{media.name}; {media.parameters}"))
    return _composed(attributes, body, fault)


def _composed(attributes: Sequence[tuple[str, str]], body: bytes, fault: EventRefused | None = None) -> ReceivedMessage:
    """One member for each attribute, as often as it was given, and the data, which must be one JSON value by itself."""
    members = ", ".join((*(f"{_text(name)}: {_text(value)}" for name, value in attributes), '"data": '))
    data = body.strip(_WHITE)
    event = b"{" + members.encode("utf-8", _UNDECODED) + data + b"}"
    if not attributes:
        fault = BadField(
            "specversion: is missing, and so is every other attribute; in binary mode they are headers (ce-specversion, "
            f"ce-id, …), and a whole event travels as {STRUCTURED}",
            field="specversion",
        )
    elif len(event) > LINE_BYTES_MAX:
        # Before anything of it is parsed.
        fault = TooLarge(
            f"{len(event)} bytes; at most {LINE_BYTES_MAX} are taken for one event", event_id=_id_in(attributes)
        )
    elif fault is None and not _is_one_value(data):
        fault = NotJson("data: the body is not one JSON value", field="data")
    if fault is not None and fault.event_id is None:
        fault.event_id = _id_in(attributes)
    return ReceivedMessage(body, event, json.dumps(attributes), fault)


def _id_in(attributes: Sequence[tuple[str, str]]) -> str | None:
    found = next((value for name, value in attributes if name == "id"), None)
    return found[:ID_CHARS_MAX] if found is not None and _is_text(found) else None


def _value(header: bytes) -> str:
    """A header's value: unquoted, then percent-decoded once (CloudEvents, HTTP binding, 3.1.3.2).

    What is encoded and is not UTF-8 keeps its bytes as halves of characters: see :func:`_is_text`.
    """
    if len(header) > 1 and header.startswith(b'"') and header.endswith(b'"'):
        header = header[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    value = unquote_to_bytes(header)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        if value == header:
            # Not encoded, as some SDKs send it: what HTTP itself takes a header to be.
            return value.decode("latin-1")
        return value.decode("utf-8", _UNDECODED)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_one_value(data: bytes) -> bool:
    """Or ``{}, "subject": "x"`` would add an attribute."""
    try:
        json.loads(data.decode("utf-8", _UNDECODED))
    except RecursionError:
        return False
    except ValueError as error:
        # A number with too many digits is one value all the same, and is refused with its own sentence.
        return not isinstance(error, json.JSONDecodeError)
    return True
