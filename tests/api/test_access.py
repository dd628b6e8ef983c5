"""Who may read what: every route, for every role, and for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.schema import migrate
from services.gateway.keys import ROLES
from tests.api.serving import READERS, Reading, reading
from tests.api.telling import START, alert_id_of, letter, parked, told

OPERATORS = (*READERS, "operator")
LETTERS = (*OPERATORS, "site")
ROUTES = {
    "/v1/alerts": READERS,
    f"/v1/alerts/{alert_id_of('FR01-001', 'ae:AE-1')}": READERS,
    # With a place that cannot be: it ends in this process, and 422 comes only to those who were let in.
    "/v1/alerts/stream?after=x": READERS,
    "/v1/assessment": READERS,
    "/v1/dead-letters": LETTERS,
    "/v1/dead-letters/1": LETTERS,
    "/v1/queries": (*READERS, "site"),
    "/v1/status": OPERATORS,
}
KEYS = (*(role for role in ROLES if role != "site"), "site-FR01", "site-FR02", "nobody", None)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """A store with something of everything in it."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('access') / 'toxwatch.db'}")
    migrate(database)
    with database.writing() as connection:
        begin_first_generation(connection, START)
        told(connection)
        parked(connection, letter())
    with reading(database) as asked:
        yield asked
    database.close()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("path", ROUTES)
def test_each_route_lets_in_whom_it_should(ask: Reading, path: str, key: str | None) -> None:
    """No key, or none that is known: 401, whatever else is wrong. The wrong role: 403. A site: its own letters only."""
    answer = ask.get(path, key)
    role = "site" if key and key.startswith("site") else key
    if role not in ROLES:
        expected = HTTPStatus.UNAUTHORIZED
    elif role not in ROUTES[path]:
        expected = HTTPStatus.FORBIDDEN
    elif "after=x" in path:
        expected = HTTPStatus.UNPROCESSABLE_ENTITY
    elif key == "site-FR02" and path.endswith("/1"):
        expected = HTTPStatus.NOT_FOUND
    else:
        expected = HTTPStatus.OK
    assert answer.status_code == expected
    if expected != HTTPStatus.OK:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == expected
        assert "FR01-001" not in answer.text


def test_every_route_is_in_the_matrix(ask: Reading) -> None:
    """One that is added must say who may read it."""
    document = ask.read("/openapi.json")
    paths = {path.split("{")[0] for path, item in document["paths"].items() if "get" in item} - {"/asyncapi.json"}
    tested = {path.partition("?")[0] for path in ROUTES}
    assert all(any(path.startswith(known) for path in tested) for known in paths)
    assert len(paths) == len(ROUTES)


def test_the_documents_are_for_everybody(ask: Reading) -> None:
    """They say nothing about the trial."""
    assert ask.get("/asyncapi.json", None).status_code == 200
    assert ask.get("/openapi.json", None).status_code == 200
