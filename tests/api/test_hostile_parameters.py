"""Whatever stands in a parameter, the answer is a document or a problem with a sentence, and never a failure of ours."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.schema import migrate
from tests.api.serving import Reading, reading
from tests.api.telling import START, letter, parked, told

PARAMETERS = {
    "/v1/alerts": ("subject", "verdict", "state", "after", "limit"),
    "/v1/assessment": ("as_of", "as_of_axis", "subject"),
    "/v1/dead-letters": ("state", "reason", "after", "limit"),
}
PLACES = [(path, name) for path, names in PARAMETERS.items() for name in names]
VALUES = (
    "",
    " ",
    "'",
    "' OR '1'='1",
    "1; DROP TABLE alerts",
    "%00",
    "FR01-001%00",
    "FR01-001%0A",
    "%ED%A0%80",
    "%FF%FE",
    "-1",
    "0",
    "1e3",
    "1_0",
    "9223372036854775807",
    "9223372036854775808",
    "9" * 5000,
    "-" + "9" * 5000,
    "NaN",
    "null",
    "[]",
    "../../etc/passwd",
    "A" * 10_000,
    "1899-12-31T23:59:59Z",
    "2201-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "2017-03-20T09:00:00+01:00",
    "2017-02-30T00:00:00Z",
    "2017-03-20",
    "1900-01-01T00:00:00%2B14:00",
    "2200-12-31T23:59:59-12:00",
    "1900-01-01T00:00:00%2B99:99",
)


@pytest.fixture
def ask(database: Database) -> Iterator[Reading]:
    """A store with something in it, of either kind."""
    with database.writing() as connection:
        begin_first_generation(connection, START)
        told(connection)
        parked(connection, letter())
    with reading(database) as asked:
        yield asked


def _is_sound(ask: Reading, url: str) -> None:
    answer = ask.get(url)
    assert answer.status_code in (200, 404, 422), url
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_every_parameter_takes_every_value_that_somebody_may_think_of(ask: Reading) -> None:
    """SQL, U+0000, half characters, numbers beyond any count, instants beyond the calendar."""
    for path, name in PLACES:
        for value in VALUES:
            _is_sound(ask, f"{path}?{name}={quote(value, safe='%')}")
    for value in VALUES:
        _is_sound(ask, f"/v1/alerts/{quote(value, safe='%')}")
        _is_sound(ask, f"/v1/dead-letters/{quote(value, safe='%')}")
    assert len(ask.read("/v1/alerts")["alerts"]) == 1
    assert len(ask.read("/v1/dead-letters")["dead_letters"]) == 1


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """One store for all examples of a property."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'toxwatch.db'}")
    migrate(database)
    with database.writing() as connection:
        begin_first_generation(connection, START)
        told(connection)
    with reading(database) as one:
        yield one
    database.close()


@given(place=st.sampled_from(PLACES), value=st.binary(max_size=40))
def test_any_bytes_at_all(asked: Reading, place: tuple[str, str], value: bytes) -> None:
    """Percent-encoded, as a browser would send them."""
    _is_sound(asked, f"{place[0]}?{place[1]}={quote(value)}")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("/v1/alerts?limit=501", "limit: should be less than or equal to 500"),
        ("/v1/alerts?limit=0", "limit: should be greater than or equal to 1"),
        ("/v1/alerts?limit=ten", "limit: should be a valid integer"),
        ("/v1/alerts?after=-1", "after: should be greater than or equal to 0"),
        ("/v1/alerts?after=9223372036854775808", "after: should be less than or equal to 9223372036854775807"),
        ("/v1/alerts?verdict=maybe", "verdict: should be 'met', 'possible' or 'watch'"),
        ("/v1/alerts?subjct=FR01-001", "subjct: there is no such parameter"),
        ("/v1/status?x=1", "x: there is no such parameter"),
        ("/v1/alerts/stream?after=x", "after: should be a valid integer"),
        ("/v1/assessment?as_of=2017-03-20", "as_of: not an RFC 3339 date-time with offset"),
        ("/v1/assessment?as_of=2017-03-20T09:00:00+01:00", "in a URL its + is written %2B"),
        ("/v1/assessment?as_of=1899-12-31T00:00:00Z", "as_of: not in the years 1900 to 2200"),
        ("/v1/assessment?as_of_axis=heard", "as_of_axis: should be 'recorded' or 'received'"),
        ("/v1/dead-letters/0", "letter_id: should be greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said(asked: Reading, query: str, sentence: str) -> None:
    """Which parameter, and what it should be."""
    answer = asked.get(query)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def test_what_cannot_be_a_subject_id_is_not_repeated(asked: Reading) -> None:
    """It may be a name."""
    answer = asked.get("/v1/alerts?subject=Marie%20Curie")
    assert answer.status_code == 422
    assert "Curie" not in answer.text
