"""The OpenAPI document: valid by somebody else's validator, complete, and true to what the gateway does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import positive_data_acceptance

from events.catalog import CLASS_BY_TYPE
from events.envelope import SubjectEvent
from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from tests.events.samples import DATA, event
from tests.gateway.serving import BATCHED, LINES, STRUCTURED, Gateway, ae, gateway_on, served

STATUSES = {"202", "207", "400", "401", "403", "408", "413", "415", "422", "429", "503"}


def document(gateway: Gateway) -> dict[str, Any]:
    made: dict[str, Any] = gateway.client.get("/openapi.json").json()
    return made


def test_the_document_is_valid_and_says_it_all(gateway: Gateway) -> None:
    """Every mode, every status, and problem documents for errors of a whole request."""
    made = document(gateway)
    validate(made)
    route = made["paths"]["/v1/events"]["post"]
    assert set(route["responses"]) == STATUSES
    assert set(route["requestBody"]["content"]) == {STRUCTURED, BATCHED, LINES, "application/json"}
    for status in STATUSES - {"202", "207", "422"}:
        assert set(route["responses"][status]["content"]) == {"application/problem+json"}
    for status in ("429", "503"):
        assert "Retry-After" in route["responses"][status]["headers"]


def test_every_event_that_sites_send_is_described(gateway: Gateway) -> None:
    """And none that Toxwatch alone publishes. Every good event is one by its schema; a bad one is not."""
    made = document(gateway)
    schema = {"$ref": "#/components/schemas/Event", "components": made["components"]}
    mapping = made["components"]["schemas"]["Event"]["discriminator"]["mapping"]
    assert set(mapping) == {name for name, cls in CLASS_BY_TYPE.items() if issubclass(cls, SubjectEvent)}
    for kind in set(DATA) & set(mapping):
        jsonschema.validate(event(kind.removeprefix("toxwatch.").removesuffix(".v1")), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(ae(1, data={"grade": 9}), schema)


def test_what_is_answered_is_as_described(gateway: Gateway) -> None:
    """Results and problems, each by its schema."""
    made = document(gateway)
    for answer in (
        gateway.post([ae(1), ae(2, data={"grade": 9})], LINES),
        gateway.post(ae(1)),
        gateway.post(b"{"),
        gateway.post(ae(1), who="operator"),
        gateway.post(ae(1), who=None),
        gateway.post(ae(1), "text/plain"),
    ):
        described = made["paths"]["/v1/events"]["post"]["responses"][str(answer.status_code)]["content"]
        schema = described[answer.headers["content-type"]]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": made["components"]})


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A real server, and a key for it."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('openapi') / 'toxwatch.db'}")
    migrate(database)
    with gateway_on(database) as gateway, served(gateway) as found:
        yield found, gateway.key("FR01").text
    database.close()


@pytest.mark.slow
def test_a_foreign_reader_of_the_document_finds_no_fault(address: tuple[str, str]) -> None:
    """Schemathesis sends what the document allows, and more: no 5xx, and no answer that is not described."""
    headers = {"Authorization": f"Bearer {address[1]}"}
    operations = list(schemathesis.openapi.from_url(f"{address[0]}/openapi.json").get_all_operations())
    assert operations
    for found in operations:

        @given(case=found.ok().as_strategy())
        @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
        def _finds_no_fault(case: schemathesis.Case) -> None:
            # Rules go beyond a schema: what is valid by the schema alone may be refused.
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        _finds_no_fault()
