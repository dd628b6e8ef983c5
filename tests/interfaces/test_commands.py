"""The command line: exit codes, data on standard output and everything else on standard error."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from events.dates import parse_instant
from tests.interfaces.live import TOXWATCH, Commands, Live, clean_environment, until
from tests.interfaces.messages import ae, ago, enrolled, event, new_subject, text, treated, visit

pytestmark = pytest.mark.xdist_group("interfaces")

COMMANDS = (
    ["assess"],
    ["explain"],
    ["schema"],
    ["simulate"],
    ["import", "sdtm"],
    ["import", "dataset-json"],
    ["import", "fhir"],
    ["grade"],
    ["queries"],
    ["run"],
    ["demo"],
    ["keys", "add"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["publish"],
    ["alerts"],
    ["assessment"],
    ["export"],
    ["rebuild"],
    ["verify"],
    ["backup"],
    ["restore"],
    ["migrate"],
    ["dead-letters", "list"],
    ["dead-letters", "show"],
    ["dead-letters", "replay"],
    ["dead-letters", "delete"],
    ["config", "show"],
    ["test-message"],
)
ON_A_DEPLOYMENT = (
    ["keys", "list"],
    ["keys", "revoke", "0" * 12],
    ["alerts"],
    ["assessment"],
    ["queries"],
    ["export"],
    ["rebuild"],
    ["verify"],
    ["backup", "--to", "BACKUP"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "1"],
    ["dead-letters", "replay", "1"],
    ["dead-letters", "delete", "1", "--reason", "r"],
)
LISTS = (["keys", "list"], ["alerts"], ["dead-letters", "list"], ["config", "show"])


def named(command: Any) -> str:
    return " ".join(command)


@pytest.fixture(scope="module")
def deployment(live: Live) -> Live:
    """One with an alert, a key, and a dead letter, and markup in what they quote."""
    subject = new_subject()
    live.accept(enrolled(subject), treated(subject), ae(subject, {"term": "[bold red]Colitis[/] :warning:"}))
    live.send(visit(subject, {"status": "[blink]x[/blink]"}))
    live.alert("ae:AE-1", subject=subject)
    return live


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_help_of_every_command(toxwatch: Commands, command: list[str]) -> None:
    """On standard output, exit code 0."""
    ran = toxwatch(*command, "--help")
    assert (ran.code, ran.stderr) == (0, "")
    assert "Usage: " in ran.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_wrong_usage_of_every_command(toxwatch: Commands, command: list[str]) -> None:
    """64, a word on standard error, nothing on standard output."""
    ran = toxwatch(*command, "--no-such-option")
    assert (ran.code, ran.stdout) == (64, "")
    assert "--no-such-option" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["assess"],
        ["assess", "-", "--as-of", "yesterday"],
        ["assess", "-", "--format", "xml"],
        ["assess", "-", "--protocol", "no-such-protocol"],
        ["assess", "-", "--as-of-axis", "sideways"],
        ["schema", "toxwatch.no.such.v1"],
        ["keys", "add"],
        ["keys", "add", "--role", "king", "--data", "DATA"],
        ["keys", "add", "--role", "site", "--data", "DATA"],
        ["keys", "add", "--role", "inspector", "--site", "FR01", "--data", "DATA"],
        ["keys", "add", "--role", "inspector", "--expires", "tomorrow", "--data", "DATA"],
        ["keys", "revoke", "--data", "DATA"],
        ["publish"],
        ["alerts", "--verdict", "dlt", "--data", "DATA"],
        ["alerts", "--state", "lost", "--data", "DATA"],
        ["alerts", "--format", "xml", "--data", "DATA"],
        ["assessment", "--as-of", "2017-03-01", "--data", "DATA"],
        ["export", "--from", "somewhere", "--data", "DATA"],
        ["export", "--to", "-1", "--data", "DATA"],
        ["backup", "--data", "DATA"],
        ["restore", "--data", "DATA"],
        ["dead-letters", "delete", "1", "--data", "DATA"],
        ["run", "--data", "DATA", "--listen", "nowhere"],
        ["run", "--data", "DATA", "--listen", "127.0.0.1:99999"],
    ],
    ids=named,
)
def test_wrong_usage(live: Live, arguments: list[str]) -> None:
    """What cannot be meant is 64, before anything is done."""
    ran = live.toxwatch(*[live.data if given == "DATA" else given for given in arguments])
    assert (ran.code, ran.stdout) == (64, ""), ran
    assert "Error: " in ran.stderr, "with a sentence"
    assert "Traceback" not in ran.stderr


def test_without_a_command_the_usage_is_shown(toxwatch: Commands) -> None:
    """64: nothing was asked for."""
    ran = toxwatch()
    assert ran.code in (0, 64)
    assert "Usage: " in ran.stdout + ran.stderr


@pytest.mark.parametrize("command", ON_A_DEPLOYMENT, ids=named)
def test_a_directory_that_is_no_deployment(toxwatch: Commands, tmp_path: Path, command: list[str]) -> None:
    """1, and nothing is made there: a mistyped directory must not look like an empty trial."""
    arguments = [tmp_path / "backup" if given == "BACKUP" else given for given in command]
    ran = toxwatch(*arguments, "--data", tmp_path / "mistyped")
    assert (ran.code, ran.stdout) == (1, ""), ran
    assert "mistyped" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", LISTS, ids=named)
def test_every_list_in_every_format(deployment: Live, command: list[str]) -> None:
    """A table, one JSON list, one object a line: the same rows; nothing on standard error, no colour."""
    table, as_json, lines = (
        deployment.toxwatch(*command, "--format", form, "--data", deployment.data)
        for form in ("table", "json", "ndjson")
    )
    for ran in (table, as_json, lines):
        assert (ran.code, ran.stderr) == (0, "")
        assert "\x1b" not in ran.stdout
    assert as_json.json == lines.ndjson
    assert as_json.json, "the deployment has something of each"


def test_quoted_text_is_no_markup(deployment: Live) -> None:
    """Brackets that a site wrote are shown as they are."""
    ran = deployment.toxwatch("dead-letters", "list", "--data", deployment.data, COLUMNS="400")
    assert "[blink]" in ran.stdout


def test_a_key_is_the_only_line_on_standard_output(live: Live) -> None:
    """The installed program itself; the key opens the gateway, and is shown by nothing afterwards."""
    ran = subprocess.run(
        [TOXWATCH, "keys", "add", "--role", "inspector", "--name", "audit [x]", "--data", live.data],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"\S+\n", ran.stdout)
    key = ran.stdout.strip()
    assert key not in ran.stderr
    headers = {"authorization": f"Bearer {key}"}
    assert live.client.get(f"{live.url}/v1/alerts", headers=headers).status_code == 200
    rows = live.toxwatch("keys", "list", "--format", "ndjson", "--data", live.data).ndjson
    (row,) = [row for row in rows if row["name"] == "audit [x]"]
    assert key not in json.dumps(rows)
    assert live.toxwatch("keys", "revoke", row["id"], "--data", live.data).code == 0
    assert live.client.get(f"{live.url}/v1/alerts", headers=headers).status_code == 401
    assert live.toxwatch("keys", "revoke", "no-such-key", "--data", live.data).code == 1


def test_config_shows_where_a_setting_comes_from_and_no_secret(toxwatch: Commands, tmp_path: Path) -> None:
    """Options before environment before file; a password in a URL is masked."""
    file = tmp_path / "settings.toml"
    file.write_text('deployment = "from-file"\nlisten = "127.0.0.1:1111"\n')
    ran = toxwatch(
        *("config", "show", "--config", file, "--format", "json"),
        TOXWATCH_LISTEN="127.0.0.1:2222",
        TOXWATCH_DATABASE="postgresql+psycopg://toxwatch:s3cr3t-w0rd@db/toxwatch",
        TOXWATCH_KEY="txw_0123_456789",
    )
    assert ran.code == 0, ran.stderr
    values = {row["name"]: row["value"] for row in ran.json}
    assert (values["deployment"], values["listen"]) == ("from-file", "127.0.0.1:2222")
    assert "s3cr3t" not in ran.stdout
    assert "456789" not in ran.stdout


def test_refused_lines_are_2_and_the_rest_is_assessed(toxwatch: Commands) -> None:
    """Listed on standard error and in the JSON."""
    subject = new_subject()
    lines = [enrolled(subject), ae(subject, {"grade": 7})]
    ran = toxwatch("assess", "-", "--format", "json", stdin="\n".join(map(json.dumps, lines)))
    assert ran.code == 2
    assert "data.grade: 7 is not a CTCAE grade 1-5" in ran.stderr
    assert [row["line"] for row in ran.json["refused"]] == [2]
    assert ran.json["refused"][0]["urgent"] is True
    assert ran.json["events"] == 1
    assert toxwatch("assess", "no-such-file.ndjson").code == 1


def test_a_backup_is_restored_elsewhere_and_says_the_same(deployment: Live, tmp_path: Path) -> None:
    """While it runs; not over a running one; the copy has the same log, alerts and keys.

    When a key was used is what the original may have noted since: it writes that down behind the requests, once in a while.
    """
    copy, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    on = ("--data", deployment.data)
    deployment.settle()
    assert deployment.toxwatch("backup", "--to", copy, *on).code == 0
    assert deployment.toxwatch("backup", "--to", copy, *on).code == 1
    assert deployment.toxwatch("restore", "--from", copy, *on).code == 1
    assert deployment.toxwatch("restore", "--from", copy, *on, "--force").code == 1
    assert deployment.toxwatch("restore", "--from", copy, "--data", elsewhere).code == 0
    for command in (["export"], ["alerts", "--format", "json"]):
        first = deployment.toxwatch(*command, *on)
        second = deployment.toxwatch(*command, "--data", elsewhere)
        assert (second.code, second.stdout) == (0, first.stdout)
    original, copied = (
        json.loads(deployment.toxwatch("keys", "list", "--format", "json", "--data", data).stdout)
        for data in (deployment.data, elsewhere)
    )
    for now, then in zip(original, copied, strict=True):
        for used in ("first_used", "last_used"):
            noted, copied_use = now.pop(used), then.pop(used)
            assert copied_use is None or parse_instant(copied_use) <= parse_instant(noted)
        assert then == now
    assert original
    assert deployment.is_alive()


def test_a_second_run_on_the_same_directory_is_refused(live: Live) -> None:
    """1, with a word that says why; the first goes on."""
    anywhere = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    ran = live.toxwatch("run", "--data", live.data, *anywhere)
    assert (ran.code, ran.stdout) == (1, "")
    assert str(live.data) in ran.stderr
    assert "Traceback" not in ran.stderr
    assert live.is_alive()


def test_a_port_that_is_taken(live: Live, tmp_path: Path) -> None:
    """1, naming the address."""
    ran = live.toxwatch("run", "--data", tmp_path, "--listen", f"127.0.0.1:{live.port}", "--metrics", "127.0.0.1:0")
    assert (ran.code, ran.stdout) == (1, "")
    assert str(live.port) in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_that_is_no_database(toxwatch: Commands, tmp_path: Path) -> None:
    """1, and a sentence that names the file."""
    (tmp_path / "toxwatch.db").write_bytes(bytes(range(256)) * 80)
    for command in (["alerts"], ["run", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]):
        ran = toxwatch(*command, "--data", tmp_path)
        assert (ran.code, ran.stdout) == (1, "")
        assert "toxwatch.db" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_rebuilding_while_it_runs_changes_and_tells_nothing(deployment: Live) -> None:
    """Exit code 0; the alerts stand as they stood."""
    deployment.settle()
    before = deployment.alerts()
    ran = deployment.toxwatch("rebuild", "--data", deployment.data)
    assert (ran.code, ran.stdout) == (0, ""), ran
    deployment.settle()
    assert deployment.alerts() == before


def test_a_rebuild_that_is_done_lags_behind_nothing(deployment: Live) -> None:
    """What is sent afterwards is not waited for by a reader that is no more: an operator would see it fall behind."""
    assert deployment.toxwatch("rebuild", "--data", deployment.data).code == 0
    deployment.accept(visit(new_subject()))
    deployment.settle()
    assert {consumer: lag for consumer, lag in deployment.lags().items() if lag} == {}


def publish(
    live: Live, tmp_path: Path, *lines: dict[str, Any] | str, key: str | None = None, to: str | None = None
) -> Any:
    """``toxwatch publish`` of lines, with the key in a file."""
    events, secret = tmp_path / "events.ndjson", tmp_path / "key"
    events.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    secret.write_text((key or live.key()) + "\n")
    return live.toxwatch("publish", events, "--to", to or live.url, "--key-file", secret, "--patience", "1")


def test_publishing_again_is_safe(live: Live, tmp_path: Path) -> None:
    """A part, then the whole: everything once, in the order of the file."""
    subject = new_subject()
    events = [visit(subject, {"visit_id": f"V-{number}"}) for number in range(30)]
    assert publish(live, tmp_path, *events[:11]).code == 0
    for _ in range(2):
        ran = publish(live, tmp_path, *events)
        assert ran.code == 0, ran.stderr
    exported = live.toxwatch("export", "--data", live.data).ndjson
    assert [found["id"] for found in exported if found.get("subject") == subject] == [sent["id"] for sent in events]


def test_publishing_what_is_refused_is_2_and_goes_on(live: Live, tmp_path: Path) -> None:
    """Each refused line is named with its number and reason; those after it are sent."""
    subject = new_subject()
    last = visit(subject)
    ran = publish(live, tmp_path, ae(subject, {"grade": 7}), "{ not json", visit(new_subject("FR02")), last)
    assert ran.code == 2
    listed = ran.stdout + ran.stderr
    assert "data.grade: 7 is not a CTCAE grade 1-5" in listed
    assert "FR02" in listed
    assert live.send(last).json()["results"][0]["status"] == "duplicate"


def test_publishing_with_a_bad_key_or_to_nobody_fails(live: Live, tmp_path: Path) -> None:
    """1, without the key in what is said."""
    for key, to, said in (
        ("txw_000000000000_secretsecretsecret", None, "401"),
        (None, "http://127.0.0.1:9", "127.0.0.1:9"),
    ):
        ran = publish(live, tmp_path, visit(new_subject()), key=key, to=to)
        assert ran.code == 1, ran
        assert said in ran.stderr
        assert "secretsecret" not in ran.stdout + ran.stderr
        assert live.key() not in ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr


def test_following_the_alerts(live: Live) -> None:
    """Each alert event as it is told, one a line, flushed through a pipe; an interrupt ends it quietly."""
    subject = new_subject()
    following = subprocess.Popen(
        [TOXWATCH, "alerts", "--follow", "--format", "ndjson", "--subject", subject, "--data", live.data],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stdout
    try:
        live.accept(enrolled(subject), treated(subject), ae(subject))
        first = json.loads(following.stdout.readline())
        live.accept(event("ae.retracted", subject, {"ae_id": "AE-1", "revision": 2, "reason": "an error"}))
        second = json.loads(following.stdout.readline())
    finally:
        following.send_signal(signal.SIGINT)
        rest, errors = following.communicate(timeout=30)
    assert [row["case"] for row in (first, second)] == ["ae:AE-1"] * 2
    assert [row["revision"] for row in (first, second)] == [1, 2]
    assert rest == ""
    assert "Traceback" not in errors
    assert following.returncode in (0, 130)


def test_filters_of_the_alerts(deployment: Live) -> None:
    """By subject, verdict and state."""
    subject = new_subject()
    deployment.accept(
        enrolled(subject), treated(subject), ae(subject), ae(subject, {"ae_id": "AE-2", "causality": None})
    )
    deployment.alert("ae:AE-2", subject=subject)
    retraction = {"ae_id": "AE-1", "revision": 2, "reason": "an error"}
    deployment.accept(event("ae.retracted", subject, retraction))
    until(lambda: deployment.alerts(subject=subject, state="withdrawn"), why="withdrawn")

    def cases(*options: str) -> list[str]:
        command = ("alerts", "--subject", subject, "--format", "ndjson", "--data", deployment.data)
        return [row["case"] for row in deployment.toxwatch(*command, *options).ndjson]

    assert sorted(cases()) == ["ae:AE-1", "ae:AE-2"]
    assert cases("--state", "open") == ["ae:AE-2"]
    assert cases("--state", "withdrawn") == ["ae:AE-1"]
    assert cases("--verdict", "possible") == ["ae:AE-2"]
    assert cases("--verdict", "met") == []


def test_the_assessment_of_one_subject(deployment: Live) -> None:
    """At an instant before anything was known there is nothing."""
    subject = new_subject()
    deployment.accept(enrolled(subject), treated(subject), ae(subject))
    deployment.alert("ae:AE-1", subject=subject)
    command = ("assessment", "--subject", subject, "--format", "json", "--data", deployment.data)
    assert [case["case"] for case in deployment.toxwatch(*command).json["cases"]] == ["ae:AE-1"]
    assert deployment.toxwatch(*command, "--as-of", text(ago(days=1))).json["cases"] == []
