"""Where the links in messages lead: to the configured address, or else to where the gateway listens."""

from __future__ import annotations

import asyncio
import io
import re
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from services.clock.watch import ClockWatch
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import load_recipients
from services.http.servers import listening, port_of, warn_of_links
from services.log.embedded import EmbeddedLog
from services.platform.fail_points import nothing
from services.platform.links import link_of_alert, url_of
from services.platform.metrics import unmeasured
from services.platform.settings import Settings, read_settings
from services.runtime.embedded import Parts, dispatcher_of
from tests.dispatcher.hand_clock import HandClock
from tests.dispatcher.test_notice import VALUES

NOTICE = Notice(**VALUES | {"alert_id": "a/1"})


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("localhost:8080", "http://localhost:8080"),
        ("toxwatch.internal:80", "http://toxwatch.internal:80"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("::1:8080", "http://[::1]:8080"),
        ("[fe80::1%eth0]:8080", "http://[fe80::1%25eth0]:8080"),
        ("0.0.0.0:8080", "http://ward-7.example.org:8080"),
        ("0:8080", "http://ward-7.example.org:8080"),
        ("[::]:8080", "http://ward-7.example.org:8080"),
        ("[0::0]:8080", "http://ward-7.example.org:8080"),
    ],
)
def test_without_a_configured_address_it_is_that_of_the_gateway(
    monkeypatch: pytest.MonkeyPatch, listen: str, url: str
) -> None:
    """Every address of the machine is its name: nobody can open 0.0.0.0."""
    monkeypatch.setattr(socket, "gethostname", lambda: "ward-7.example.org")
    assert url_of(listen) == url
    assert Settings(listen=listen).base_url == url
    assert Settings(listen=listen, public_url="https://tox.example.org").base_url == "https://tox.example.org"


@pytest.mark.parametrize("name", ["", "ward 7", "ward\n7", "-ward", "ward/7", "é"])
def test_a_machine_whose_name_fits_in_no_link_is_localhost(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The link opens on the machine itself at least."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert url_of("0.0.0.0:8080") == "http://localhost:8080"


def test_any_free_port_is_known_once_it_is_listened_on() -> None:
    """The host stays as it was written."""
    with listening("localhost:0") as listener:
        settings = Settings(listen="localhost:0").heard_on(port_of(listener))
        assert settings.base_url == f"http://localhost:{listener.getsockname()[1]}"


@pytest.mark.parametrize("base", ["https://tox.example.org", "https://tox.example.org/"])
def test_an_id_is_written_so_that_it_stays_one_part_of_the_link(base: str) -> None:
    """Odd characters included."""
    assert link_of_alert(base, "a/b?c#d %é") == "https://tox.example.org/alerts/a%2Fb%3Fc%23d%20%25%C3%A9"


@pytest.mark.parametrize(
    ("public_url", "base"),
    [(None, "http://127.0.0.1:9999"), ("https://tox.example.org/", "https://tox.example.org")],
)
def test_a_dispatcher_by_itself_links_to_the_gateway(tmp_path: Path, public_url: str | None, base: str) -> None:
    """It listens on nothing itself; the settings that both have say where the gateway does, and it says where it only guesses."""
    settings = read_settings(data=tmp_path, listen="127.0.0.1:9999", public_url=public_url)
    database, clock, console = Database(settings.database_url), HandClock(), io.StringIO()
    clinical, alerts = EmbeddedLog(database, "clinical"), EmbeddedLog(database, "alerts")
    metrics, watch = unmeasured(PROTOCOL.trial), ClockWatch(database, clock)
    parts = Parts(
        settings, database, Trial(PROTOCOL, settings.source), clock, clinical, alerts, metrics, nothing, watch
    )
    dispatcher = dispatcher_of(parts, load_recipients(None, PROTOCOL), console)
    assert asyncio.run(dispatcher.tell_directly(NOTICE)) == 1
    assert re.search(r"\S+$", console.getvalue().strip())[0] == f"{base}/alerts/a%2F1"  # type: ignore[index]
    with capture_logs() as said:
        warn_of_links(settings)
    warned = [(line["event"], line["address"]) for line in said]
    assert warned == ([] if public_url else [("public_url_is_not_set", base)])
    database.close()
