"""Settings: which source wins, what is refused and in which words, and that no secret is shown."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from services.cli.config import config_app
from services.platform.settings import Settings, SettingsError, effective_settings, read_settings
from tests.cli.command_line import run

SECRET = "s3cret-Pa55"
URL = f"postgresql+psycopg://toxwatch-owner:{SECRET}@db.example.org:5433/tox?sslmode=require&sslpassword={SECRET}"


@pytest.fixture(autouse=True)
def _bare_environment() -> Iterator[None]:
    """The variables of whoever runs the tests do not count."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOXWATCH_")}
    with patch.dict(os.environ, kept, clear=True):
        yield


def _config(directory: Path, text: str) -> Path:
    path = directory / "toxwatch.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _complaint(config: Path | None = None, **options: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(config, **options)
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    """Nothing has to be set, save where the data are."""
    settings, origins = effective_settings()
    assert settings == Settings()
    assert set(origins.values()) == {"default"}
    assert "TOXWATCH_DATA" in _database_complaint(settings)


def _database_complaint(settings: Settings) -> str:
    with pytest.raises(SettingsError) as caught:
        _ = settings.database_url
    return str(caught.value)


SOURCES = ("option", "environment", "mounted", "file")


@pytest.mark.parametrize("present", [c for n in range(1, 5) for c in itertools.combinations(SOURCES, n)], ids="+".join)
def test_the_strongest_source_wins(present: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, then TOXWATCH_*, then TOXWATCH_*_FILE, then the file: for every set of them that says something."""
    (tmp_path / "mounted").write_text("from-mounted\n")
    if "environment" in present:
        monkeypatch.setenv("TOXWATCH_DEPLOYMENT", "from-environment")
    if "mounted" in present:
        monkeypatch.setenv("TOXWATCH_DEPLOYMENT_FILE", str(tmp_path / "mounted"))
    config = _config(tmp_path, 'deployment = "from-file"\n') if "file" in present else None
    settings, origins = effective_settings(config, deployment="from-option" if "option" in present else None)
    assert settings.deployment == f"from-{present[0]}"
    assert (
        origins["deployment"]
        == {
            "option": "option --deployment",
            "environment": "environment TOXWATCH_DEPLOYMENT",
            "mounted": "environment TOXWATCH_DEPLOYMENT_FILE",
            "file": f"file {config}",
        }[present[0]]
    )


def test_each_setting_is_looked_for_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stronger source that is silent about a setting does not hide a weaker one."""
    monkeypatch.setenv("TOXWATCH_CONFIG", str(_config(tmp_path, 'deployment = "here"\nevents_per_minute = 7\n')))
    monkeypatch.setenv("TOXWATCH_EVENTS_PER_MINUTE", "8")
    settings = read_settings(listen="[::1]:99")
    assert (settings.deployment, settings.events_per_minute, settings.listen) == ("here", 8, "[::1]:99")


def test_the_option_names_the_file_before_the_variable_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--config`` is an option like the others."""
    monkeypatch.setenv("TOXWATCH_CONFIG", str(tmp_path / "absent.toml"))
    assert read_settings(_config(tmp_path, 'deployment = "here"')).deployment == "here"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass on variables that nobody has set."""
    for name in ("TOXWATCH_DATABASE", "TOXWATCH_DATABASE_FILE", "TOXWATCH_CONFIG"):
        monkeypatch.setenv(name, "")
    assert read_settings() == Settings()


def test_the_constructor_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that a program makes are what it says, wherever it runs."""
    monkeypatch.setenv("TOXWATCH_DEPLOYMENT", "elsewhere")
    assert Settings().deployment == "local"


def test_paths_in_the_file_are_meant_from_where_it_lies(tmp_path: Path) -> None:
    """The same file means the same wherever the command is started; a protocol's name stays a name."""
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "ours.toml").write_text('base = "isi-jx"\n')
    config = _config(directory, 'data = "state"\nrecipients = "/abs/r.toml"\nprotocol = "ours.toml"\n')
    settings = read_settings(config)
    assert settings.data == directory / "state"
    assert settings.database_url == f"sqlite:///{directory}/state/toxwatch.db"
    assert settings.recipients == Path("/abs/r.toml")
    assert settings.protocol == str(directory / "ours.toml")
    assert read_settings(_config(directory, 'protocol = "isi-jx"\n')).protocol == "isi-jx"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("database", "no url", "not a SQLAlchemy URL"),
        ("database", "mysql://h/d", "mysql is not supported"),
        ("database", "postgresql+asyncpg://h/d", "postgresql+asyncpg is not supported"),
        ("database", "sqlite://", "SQLite needs a file"),
        ("database", "sqlite:///:memory:", "SQLite needs a file"),
        ("database", f"postgresql://u:{SECRET}@h:port/d", "not a SQLAlchemy URL"),
        ("log", "kafka", "kafka://HOST:PORT"),
        ("deployment", "a b", "letters, digits"),
        ("deployment", "-a", "beginning with a letter"),
        ("deployment", "", "1 to 64"),
        ("deployment", "a" * 65, "1 to 64"),
        ("listen", "8080", "not HOST:PORT"),
        ("listen", ":8080", "not HOST:PORT"),
        ("listen", "localhost:http", "not HOST:PORT"),
        ("metrics", "localhost:65536", "not HOST:PORT"),
        ("metrics", "127.0.0.1:8080", "each needs an address of its own"),
        ("public_url", "toxwatch.example.org", "not an http or https URL"),
        ("public_url", f"https://u:{SECRET}@example.org", "no user or password"),
        ("events_per_minute", "many", "valid integer"),
        ("events_per_minute", 0, "greater than or equal to 1"),
        ("log_level", "loud", "'warning'"),
        ("data", 5, "path"),
    ],
)
def test_what_is_wrong_has_its_sentence(name: str, value: object, said: str) -> None:
    """Which setting, where it stands, and what is expected; never the value, which may be a secret."""
    complaint = _complaint(**{name: value})
    assert said in complaint
    assert SECRET not in complaint
    assert said.startswith("each needs") or complaint.startswith(f"{name} (option --{name.replace('_', '-')}): ")


def test_every_fault_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one at each start."""
    monkeypatch.setenv("TOXWATCH_LISTEN", "x")
    complaint = _complaint(deployment="a b")
    assert "listen (environment TOXWATCH_LISTEN): not HOST:PORT" in complaint
    assert "deployment (option --deployment):" in complaint


def test_any_free_port_may_serve_both() -> None:
    """Port 0 is another one each time."""
    assert read_settings(listen="127.0.0.1:0", metrics="127.0.0.1:0").listen == "127.0.0.1:0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listne = 'x:1'\n", "'listne' is not a setting; did you mean 'listen'?"),
        ("TOXWATCH = 1\nwholly_other = 2\n", "'wholly_other' is not a setting"),
        ("listen = \n", "line 1"),
        ("[listen]\nhost = 'x'\n", "valid string"),
    ],
)
def test_a_wrong_file_has_its_sentence(text: str, said: str, tmp_path: Path) -> None:
    """The file is named, and the nearest setting there is."""
    complaint = _complaint(_config(tmp_path, text))
    assert said in complaint
    assert str(tmp_path / "toxwatch.toml") in complaint


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent file, a directory, and bytes that are no text."""
    assert _complaint(tmp_path / "absent.toml") == f"{tmp_path}/absent.toml: No such file or directory"
    assert _complaint(tmp_path) == f"{tmp_path}: Is a directory"
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert _complaint(tmp_path / "bytes") == f"{tmp_path}/bytes: not UTF-8 text"
    monkeypatch.setenv("TOXWATCH_DATABASE_FILE", str(tmp_path / "none"))
    assert _complaint() == f"TOXWATCH_DATABASE_FILE: {tmp_path}/none: No such file or directory"


@pytest.mark.parametrize("format", ["table", "json", "ndjson"])
@pytest.mark.parametrize("origin", ["environment", "mounted", "file"])
def test_config_show_masks_secrets(
    format: str,  # noqa: A002
    origin: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither user nor password of a database, wherever it was set, in whichever form it is shown."""
    (tmp_path / "secret").write_text(URL)
    arguments = ["show", "--format", format]
    if origin == "environment":
        monkeypatch.setenv("TOXWATCH_DATABASE", URL)
    elif origin == "mounted":
        monkeypatch.setenv("TOXWATCH_DATABASE_FILE", str(tmp_path / "secret"))
    else:
        arguments += ["--config", str(_config(tmp_path, f'database = "{URL}"\n'))]
    outcome = run(config_app, *arguments)
    assert outcome.code == 0
    assert SECRET not in outcome.out + outcome.err
    assert "toxwatch-owner" not in outcome.out + outcome.err
    # A table may break the line anywhere.
    assert "xxxxx" in outcome.out
    shown = "postgresql+psycopg://xxxxx@db.example.org:5433/tox?sslmode=require&sslpassword=xxxxx"
    assert shown in outcome.out or format == "table"


def test_config_show_says_where_each_value_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the database that follows from the directory."""
    monkeypatch.setenv("TOXWATCH_DEPLOYMENT", "here")
    outcome = run(config_app, "show", "--data", str(tmp_path), "--format", "json")
    rows = {row["name"]: (row["value"], row["from"]) for row in json.loads(outcome.out)}
    assert rows.keys() == Settings.model_fields.keys()
    assert rows["data"] == (str(tmp_path), "option --data")
    assert rows["deployment"] == ("here", "environment TOXWATCH_DEPLOYMENT")
    assert rows["database"] == (f"sqlite:///{tmp_path}/toxwatch.db", "default")
    assert rows["recipients"] == (None, "default")


def test_config_show_of_wrong_settings_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is wrong, and shows nothing."""
    monkeypatch.setenv("TOXWATCH_DATABASE", f"mysql://u:{SECRET}@h/d")
    outcome = run(config_app, "show")
    assert (outcome.code, outcome.out) == (64, "")
    assert "mysql is not supported" in outcome.words
    assert SECRET not in outcome.words


def test_config_show_is_plain_text_for_hostile_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would steer a terminal is shown, not obeyed."""
    monkeypatch.setenv("TOXWATCH_PROTOCOL", "a\x1b[31m[bold]b")
    assert "a\\x1b[31m[bold]b" in run(config_app, "show").out
