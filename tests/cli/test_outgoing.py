"""A proxy that the environment names for something else is not used, and one that the configuration names is."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from services.dispatcher.recipients import RecipientsError
from services.files.publish import gateway_client
from services.http.outgoing import client_options
from tests.dispatcher.files import hook, person, recipients

ELSEWHERE = "http://127.0.0.1:9"


def _is_reached(proxy: str | None, url: str) -> bool:
    """Whether a request comes to ``url`` itself."""
    with gateway_client(url, "key", proxy) as client:
        try:
            client.post("/v1/events", timeout=5)
        except httpx2.HTTPError:
            return False
    return True


@pytest.fixture
def server() -> object:
    """Something that answers."""
    from tests.cli.answering import answering

    with answering() as url:
        yield url


def test_the_environment_redirects_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither events nor keys nor alerts go to where HTTP_PROXY points, unless the configuration says so."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, ELSEWHERE)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert _is_reached(None, server)
    assert not _is_reached("environment", server)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert _is_reached("environment", server)


def test_a_proxy_that_is_named_is_used(server: str) -> None:
    """Though nothing listens there."""
    assert not _is_reached(ELSEWHERE, server)
    assert client_options(ELSEWHERE)["proxy"] == ELSEWHERE


@pytest.mark.parametrize("said", ["proxy:3128", "ftp://proxy", "http://", ""])
def test_a_proxy_that_is_none_is_said(tmp_path: Path, said: str) -> None:
    """When the file of recipients is read."""
    with pytest.raises(RecipientsError, match="proxy"):
        recipients(tmp_path, hook("https://alerts.example.org/h", more=f'proxy = "{said}"') + person("ann", "hook"))
