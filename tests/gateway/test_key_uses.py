"""Which key was used and which was refused: counted by the hour, bounded, written in the end, and nowhere a secret."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.tables import key_uses
from projections.store.write.audit import first_and_last_use, uses
from services.cli.audit import audit_app
from services.cli.keys import keys_app
from services.gateway.key_uses import OUTCOMES
from services.gateway.keys import add_key, revoke_key
from services.platform.logs import configure_logs
from services.platform.metrics import KEY_REQUESTS
from services.runtime.metrics_store import READERS
from tests.cli.command_line import run
from tests.gateway.serving import NOW, Gateway, ae, later

ROUTE = "POST /v1/events"


def counted(gateway: Gateway) -> dict[tuple[str, str], int]:
    """How often, by the key's id and the outcome."""
    gateway.ring.uses.write()
    with gateway.database.reading() as connection:
        return {(row.key_id, row.outcome): row.count for row in uses(connection) if row.route == ROUTE}


def sent_with(gateway: Gateway, authorization: str | None) -> int:
    headers = {"content-type": "application/cloudevents+json"}
    headers |= {"authorization": authorization} if authorization is not None else {}
    return gateway.client.post("/v1/events", content=b"{}", headers=headers).status_code


def test_every_use_and_every_refusal_is_counted(any_gateway: Gateway) -> None:
    """By key where the key is known. Counts of the same hour add up, also when they are written at different times."""
    mine, other = any_gateway.key("FR01"), any_gateway.key("FR02")
    with any_gateway.database.writing() as connection:
        revoked = add_key(connection, "site", "FR01", "", NOW)
        expired = add_key(connection, "site", "FR01", "", NOW, NOW + 1)
        revoke_key(connection, revoked.id, NOW)
    later(any_gateway.clock)
    for number in range(3):
        assert any_gateway.post(ae(number)).status_code == 202
        assert counted(any_gateway)[(mine.id, "used")] == number + 1
    wrong = f"txw_{mine.id}_{other.text.rpartition(other.id + '_')[2]}"
    tried = (wrong, revoked.text, expired.text, f"txw_{'0' * 12}_{'x' * 43}", "Jeanne-Dupont")
    assert {sent_with(any_gateway, f"Bearer {text}") for text in tried} == {401}
    assert sent_with(any_gateway, None) == 401
    assert sent_with(any_gateway, f"Bearer {any_gateway.key('inspector').text}") == 403
    assert counted(any_gateway) == {
        (mine.id, "used"): 3,
        (mine.id, "refused: wrong"): 1,
        (revoked.id, "refused: revoked"): 1,
        (expired.id, "refused: expired"): 1,
        ("-", "refused: unknown"): 1,
        ("-", "refused: malformed"): 1,
        ("-", "refused: missing"): 1,
        (any_gateway.key("inspector").id, "forbidden"): 1,
    }


def test_a_flood_of_guesses_is_one_row_and_few_lines_of_the_log(gateway: Gateway) -> None:
    """Whatever they are: nobody fills the table, or the log, with what is refused. A line every few seconds at most."""
    written = io.StringIO()
    configure_logs("info", written)
    for number in range(300):
        assert sent_with(gateway, f"Bearer txw_{number:012x}_{'y' * 43}") == 401
    assert counted(gateway) == {("-", "refused: unknown"): 300}
    assert 1 <= written.getvalue().count("key_refused") < 30


def test_what_cannot_be_written_waits(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk loses no count."""
    gateway.post(ae(1))

    def full(_self: Database) -> None:
        raise StoreUnavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "writing", full)
        gateway.ring.uses.write()
    gateway.ring.uses.write()
    gateway.ring.uses.write()
    with gateway.database.reading() as connection:
        assert connection.scalar(select(func.sum(key_uses.c.count))) == 1


def test_a_key_was_first_and_last_used_then(gateway: Gateway) -> None:
    gateway.post(ae(1))
    later(gateway.clock, 90)
    gateway.post(ae(2))
    gateway.ring.uses.write()
    with gateway.database.reading() as connection:
        assert first_and_last_use(connection) == {gateway.key("FR01").id: (NOW, gateway.clock.now())}
        assert len(uses(connection)) == 2, "a row an hour"


def test_the_metric_has_every_outcome_from_the_beginning(gateway: Gateway) -> None:
    (read,) = [reader for declared, reader in READERS if declared is KEY_REQUESTS]
    with gateway.database.reading() as connection:
        assert dict(read(connection, NOW)) == {(outcome,): 0 for outcome in OUTCOMES}


def test_the_commands_that_make_and_revoke_keys_are_in_the_list(gateway: Gateway, tmp_path: Path) -> None:
    """With who typed them and for which key; what keys did stands beside; never a secret."""
    at = ("--data", str(tmp_path))
    made = run(keys_app, "add", "--role", "site", "--site", "FR03", "--name", "EDC", *at)
    assert made.code == 0, made.err
    key_id = made.out.split("_")[1]
    assert run(keys_app, "revoke", key_id, *at).code == 0
    gateway.post(ae(1))
    gateway.ring.uses.write()
    listed = run(audit_app, "list", "--format", "json", *at)
    rows = json.loads(listed.out)
    actions = [(row["action"], row["object"]) for row in rows if row["action"].startswith("keys")]
    assert actions == [("keys add", f"key {key_id}: site FR03; EDC"), ("keys revoke", f"key {key_id}")]
    assert all(row["actor"] for row in rows)
    (use,) = [row for row in rows if row["action"] == "request"]
    assert (use["actor"], use["object"], use["outcome"], use["count"]) == (gateway.key("FR01").id, ROUTE, "used", 1)
    _, _, secret = made.out.strip().split("_", 2)
    assert secret not in listed.out
    for narrowed in (("--actor", gateway.key("FR01").id), ("--until", "2017-06-02T00:00:00Z")):
        (one,) = json.loads(run(audit_app, "list", "--format", "json", *narrowed, *at).out)
        assert one["action"] == "request"
    assert run(audit_app, "list", "--since", "yesterday", *at).code == 64
