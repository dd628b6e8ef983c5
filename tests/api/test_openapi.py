"""The reading routes in the OpenAPI document."""

from __future__ import annotations

import asyncio

from openapi_spec_validator import validate

from projections.store.engine.database import Database
from services.api.alert_feed import AlertFeed
from services.gateway.documents import SECURITY_SCHEME
from tests.api.serving import app_on


def test_the_document_is_valid_and_says_how_each_route_can_fail(database: Database) -> None:
    """By somebody else's validator; with a summary, a key, and a problem document for each way to fail."""
    document = app_on(database, AlertFeed(database, asyncio.Event())).openapi()
    validate(document)
    described = {path: item["get"] for path, item in document["paths"].items() if "get" in item}
    described.pop("/asyncapi.json")
    assert len(described) == 8
    for path, operation in described.items():
        assert operation["description"], path
        assert operation["security"] == [{SECURITY_SCHEME: []}], path
        assert {"200", "401", "403", "422", "503"} <= set(operation["responses"]), path
        for status, response in operation["responses"].items():
            if status != "200":
                assert set(response["content"]) == {"application/problem+json"}, (path, status)
    named = {parameter["name"] for parameter in described["/v1/alerts"]["parameters"]}
    assert named == {"subject", "verdict", "state", "after", "limit", "at_least"}
    streamed = {parameter["name"].lower() for parameter in described["/v1/alerts/stream"]["parameters"]}
    assert streamed == {"after", "last-event-id", "at_least"}
