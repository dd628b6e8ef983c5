"""How the intake is described in the OpenAPI document: every mode, every status, every problem."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import TypeAdapter

from events.catalog import CLASS_BY_TYPE
from events.envelope import SubjectEvent
from services.gateway.messages import BATCHED, BINARY, EVENTS_MAX, LINES, STRUCTURED
from services.http.problems import MEDIA_TYPE

#: The name under which FastAPI describes a bearer of keys, for the routes that read too.
SECURITY_SCHEME: Final = "HTTPBearer"

_REFERENCE: Final = "#/components/schemas/{model}"
_EVENT: Final = {"$ref": _REFERENCE.format(model="Event")}
_PROBLEM: Final = {"$ref": _REFERENCE.format(model="Problem")}
_RESULTS: Final = {"$ref": _REFERENCE.format(model="Results")}
#: What is sent, as opposed to what Toxwatch itself publishes.
_SENT: Final = {name: cls for name, cls in CLASS_BY_TYPE.items() if issubclass(cls, SubjectEvent)}

_RETRY_AFTER: Final = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


def _results(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _RESULTS}}}


def problem_response(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """A response that is a problem document."""
    return {"description": description, "headers": headers or {}, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}


#: Arguments of the route.
EVENTS_ROUTE: Final[dict[str, Any]] = {
    "operation_id": "sendEvents",
    "status_code": 202,
    "response_model": None,
    "responses": {
        202: _results("All were accepted, or were duplicates: they are durable in the log."),
        207: _results("Some were accepted, some refused."),
        422: _results("All were refused."),
        400: problem_response("The request cannot be read."),
        401: problem_response("No key, or none that is valid; nothing was read."),
        403: problem_response(
            "The key writes nothing, and nothing was read; or it may write none of the events, and `results` says so of each."
        ),
        408: problem_response("The body did not come in time."),
        413: problem_response(f"More than 10 MiB, or more than {EVENTS_MAX} events."),
        415: problem_response("None of the content types that are read here."),
        429: problem_response(
            "More events of the key than a minute takes, or more requests or bytes than may be under way.",
            _RETRY_AFTER,
        ),
        503: problem_response("The log cannot take it now: send the same again, ids make it safe.", _RETRY_AFTER),
    },
    "openapi_extra": {
        "security": [{SECURITY_SCHEME: []}],
        "parameters": [
            {
                "name": f"ce-{name}",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": f"Binary mode: the attribute `{name}`, percent-encoded.",
            }
            for name in ("specversion", "id", "source", "type", "subject", "time", "trial", "site")
        ],
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": _EVENT},
                BATCHED: {"schema": {"type": "array", "items": _EVENT, "maxItems": EVENTS_MAX}},
                BINARY: {
                    "schema": {"type": "object", "description": "The event's `data`; its attributes are ce-* headers."}
                },
                LINES: {"schema": {"type": "string", "description": "One structured event a line."}},
            },
        },
    },
}


def component_schemas() -> dict[str, Any]:
    """The schemas that the intake's description refers to."""
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (name, "validation", TypeAdapter(cls)) for name, cls in _SENT.items()
    ]
    references, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
    return {
        **definitions["$defs"],
        "Event": {
            "oneOf": [references[(name, "validation")] for name in _SENT],
            "discriminator": {
                "propertyName": "type",
                "mapping": {name: references[(name, "validation")]["$ref"] for name in _SENT},
            },
        },
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "results": {"type": "array", "items": {"$ref": _REFERENCE.format(model="Result")}},
            },
        },
        "Result": {
            "type": "object",
            "required": ["id", "status"],
            "properties": {
                "id": {"type": ["string", "null"], "description": "The event's id, where it can be read."},
                "status": {"enum": ["accepted", "duplicate", "refused"]},
                "position": {"type": "string", "description": "Its place in the log: partition/offset."},
                "superseded_by": {
                    "type": "integer",
                    "description": "The higher revision of its record that is in effect: the event is kept, and changes nothing.",
                },
                "error": {"type": "string", "description": "Names the field, the value and the rule."},
            },
        },
        "Results": {
            "type": "object",
            "required": ["results"],
            "properties": {"results": {"type": "array", "items": {"$ref": _REFERENCE.format(model="Result")}}},
        },
    }
