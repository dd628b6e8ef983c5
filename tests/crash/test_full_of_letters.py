"""A disk that parked input has filled (a running system on a file system of 8 MiB): said before, and mended by an operator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.crash.deployment import ROOT, Deployment, eventually
from tests.crash.disks import full, is_root, small_disk
from tests.crash.load import Book, Sender
from tests.crash.receivers import Receivers
from tests.crash.stories import Author

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_root(), reason="needs root")]

SITE = "FR01"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk / "data"


def _refused(number: int) -> bytes:
    """An event with a field that there is not, and much text in it."""
    said = json.loads(Author(f"{SITE}-001").toxicity().body)
    said |= {"id": f"refused-{number}"}
    said["data"] |= {"grade": 1, "severity": "x" * 150_000}
    return json.dumps(said).encode()


def _toxwatch(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli.main", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_letters_are_erased_on_a_full_disk(tmp_path: Path, data: Path) -> None:
    """An alert before it is full; then nothing can be written, save by the command that makes room; and all goes on."""
    with Receivers() as receivers, Deployment(tmp_path, receivers, data) as deployment:
        deployment.start()
        key = deployment.make_keys([SITE])[SITE]
        headers = {"authorization": f"Bearer {key}", "content-type": "application/cloudevents+json"}
        url = f"{deployment.url}/v1/events"
        eventually(lambda: (data / "toxwatch.reserve").exists())
        statuses = [httpx2.post(url, content=_refused(0), headers=headers, timeout=60).status_code]
        while statuses[-1] == 422:
            assert len(statuses) < 100, "the disk is not so large"
            statuses.append(httpx2.post(url, content=_refused(len(statuses)), headers=headers, timeout=60).status_code)
        assert statuses[-1] == 503
        with full(data.parent):
            eventually(lambda: "nearly full" in " ".join(deployment.health().reasons), otherwise=deployment.health)
            before = (data / "toxwatch.db").stat().st_size
            on = ("--data", str(data))
            where = ("dead-letters", "delete", "--where", f"site={SITE}", "--reason", "the disk is full")
            assert "with --yes" in _toxwatch(*where, *on)
            assert "erased" in _toxwatch(*where, "--yes", *on)
            assert (data / "toxwatch.db").stat().st_size < before / 2
            book = Book()
            with Sender(deployment, key, book) as sender:
                sender.send(Author(f"{SITE}-002").treated())
            assert {answer.status for answer in book.answers} == {"accepted"}, book.answers
        eventually(lambda: deployment.health().ready == 200, otherwise=deployment.health)
