"""The AsyncAPI 3.0 document: every event type with its schema and an example, and the channels on which they travel.

Made from the catalogue, so that a new type is in it without anybody's help (but for its example).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic.json_schema import models_json_schema

from events.alert import AlertEvent
from events.catalog import CLASS_BY_TYPE
from events.envelope import Envelope, SubjectEvent
from services.api.event_examples import example_of

Json = dict[str, Any]

CONTRACT_VERSION: Final = "1"
CONTENT_TYPE: Final = "application/cloudevents+json"
PARTITIONS: Final = 12
KEEP_FOR_EVER: Final = -1

CLINICAL_TOPIC: Final = "toxwatch.clinical.v1"
ALERT_TOPIC: Final = "toxwatch.alerts.v1"
DEAD_LETTER_TOPIC: Final = "toxwatch.dead-letters.v1"
INTAKE_TOPIC: Final = "toxwatch.intake.{producer}"

SENT_BY_SITES: Final = tuple(name for name, cls in CLASS_BY_TYPE.items() if issubclass(cls, SubjectEvent))
ALERTS: Final = tuple(name for name, cls in CLASS_BY_TYPE.items() if issubclass(cls, AlertEvent))
CLINICAL: Final = tuple(name for name in CLASS_BY_TYPE if name not in ALERTS)

#: How the entries of a log are keyed; those of one key keep their order.
KEY: Final = (
    "`<trial>/<subject>`; for types about no subject `<trial>/@<what>`, such as `<trial>/@cohort/A/2` or `<trial>/@system`. "
    "The partition is murmur2 of the key, the default of the Java client."
)


def asyncapi_document(public_url: str) -> Json:
    """The document. ``public_url`` is where people and systems reach the gateway."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:toxwatch:contract",
        "info": {
            "title": "Toxwatch events",
            "version": CONTRACT_VERSION,
            "description": "What site systems send, what the logs hold for ever, and what the medical monitor is told. "
            "Every event is a CloudEvent 1.0.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(public_url),
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": {name: _message(name) for name in CLASS_BY_TYPE} | {"parked": _PARKED},
            "schemas": _schemas(),
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _servers(public_url: str) -> Json:
    url = urlsplit(public_url)
    gateway = {
        "host": url.netloc,
        "protocol": url.scheme,
        "description": "The gateway. Its other routes are in /openapi.json.",
        "security": [{"$ref": "#/components/securitySchemes/apiKey"}],
    }
    if url.path.strip("/"):
        gateway["pathname"] = url.path.rstrip("/")
    kafka = {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The brokers of a distributed run. On one machine the logs are tables, and are read over HTTP.",
        "variables": {"bootstrap": {"default": "localhost:9092"}},
    }
    return {"gateway": gateway, "kafka": kafka}


def _channels() -> Json:
    return {
        "clinical": _topic(CLINICAL_TOPIC, CLINICAL, "The clinical log. Only Toxwatch writes it."),
        "alerts": _topic(ALERT_TOPIC, ALERTS, "The alert log: what Toxwatch told, and took back."),
        "deadLetters": _topic(DEAD_LETTER_TOPIC, ("parked",), "Input that was refused, as it came."),
        "intake": {
            **_topic(INTAKE_TOPIC, SENT_BY_SITES, "What an outside producer sends, such as a central laboratory."),
            "parameters": {"producer": {"description": "The producer's name, one topic each."}},
        },
        "events": _route("/v1/events", SENT_BY_SITES, "POST", "What sites send over HTTP, one event or many."),
        "alertStream": _route(
            "/v1/alerts/stream",
            ALERTS,
            "GET",
            "Alert events as server-sent events: `data` is the event, `id` its place; `Last-Event-ID` goes on from there.",
        ),
    }


def _topic(address: str, names: Iterable[str], description: str) -> Json:
    kafka: Json = {
        "partitions": PARTITIONS,
        "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": KEEP_FOR_EVER},
        "bindingVersion": "0.5.0",
    }
    if "{" not in address:
        kafka["topic"] = address
    return {**_channel(address, names, description, "kafka"), "bindings": {"kafka": kafka}}


def _route(address: str, names: Iterable[str], method: str, description: str) -> Json:
    return {**_channel(address, names, f"{method} {address}. {description}", "gateway")}


def _channel(address: str, names: Iterable[str], description: str, server: str) -> Json:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operations() -> Json:
    """From where Toxwatch stands: what it sends, and what it receives."""
    return {
        "appendToClinicalLog": _operation("send", "clinical", "Append what was taken, stamped with `receivedtime`."),
        "tellAlerts": _operation("send", "alerts", "Tell that an alert was raised, revised or withdrawn."),
        "parkInput": _operation("send", "deadLetters", "Put aside what was refused."),
        "takeFromIntake": _operation("receive", "intake", "Check what an outside producer sent, and append it."),
        "takeEvents": {
            **_operation("receive", "events", "Check what a site sent, and append it before answering."),
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        },
        "streamAlerts": {
            **_operation("send", "alertStream", "Tell those who follow."),
            "bindings": {"http": {"method": "GET", "query": _AFTER, "bindingVersion": "0.3.0"}},
        },
    }


_AFTER: Final[Json] = {
    "type": "object",
    "properties": {"after": {"type": "integer", "minimum": 0, "description": "The place seen last."}},
    "additionalProperties": False,
}

_PARKED: Final[Json] = {
    "name": "parked",
    "title": "A refused message, as it came",
    "contentType": "application/octet-stream",
    "payload": {"description": "The bytes that were refused."},
}


def _operation(action: str, channel: str, summary: str) -> Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _message(name: str) -> Json:
    said = _sentences(CLASS_BY_TYPE[name])
    return {
        "name": name,
        "title": name,
        "summary": said,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{CLASS_BY_TYPE[name].__name__}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": KEY}, "bindingVersion": "0.5.0"}},
        "examples": [{"name": "example", "payload": example_of(name)}],
    }


def _sentences(event_class: type[Envelope]) -> str:
    return " ".join((event_class.__doc__ or "").split())


def _schemas() -> Json:
    """The schemas of events/schema, with the parts that they share in one place."""
    models: list[tuple[type[Envelope], Any]] = [(cls, "validation") for cls in CLASS_BY_TYPE.values()]
    _, shared = models_json_schema(models, by_alias=True, ref_template="#/components/schemas/{model}")
    return dict(shared["$defs"])
