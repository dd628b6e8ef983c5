"""Whom alerts reach: a webhook and a mailbox that note every message, and now and then refuse one or take their time.

A message is known to come from a certain life of the process by the address that it is posted to, or by the name under which
the sender of a mail logs in: each epoch is given a file of recipients of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import secrets
import threading
import time
from email.parser import BytesHeaderParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from events.dates import Instant
from services.platform import time_source

PASSWORD: Final = "a mail password"
SLOW_SECONDS_MAX: Final = 0.3

_RECIPIENTS: Final = """\
[channels.hook]
type = "webhook"
url = "http://127.0.0.1:{hook}/epoch/{epoch}"
secret_file = "hook.secret"

[channels.mail]
type = "smtp"
host = "127.0.0.1"
port = {mail}
tls = "none"
from = "toxwatch@example.org"
username = "epoch-{epoch}"
password_file = "mail.password"

[grouping]
seconds = 1
system_alert_seconds = 1

[[recipients]]
name = "medical-monitor"
role = "medical-monitor"
channels = ["hook"]

[[recipients]]
name = "sponsor"
role = "sponsor"
address = "safety@example.org"
channels = ["mail"]
"""


class Receipt(NamedTuple):
    """One message that arrived whole. ``fault``: what is wrong with it; ``told`` is its body, of a webhook."""

    id: str
    channel: str
    epoch: int
    at: Instant
    was_taken: bool
    fault: str | None = None
    told: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @property
    def listed(self) -> list[tuple[str, int]]:
        """The alerts that a webhook's message is about, each with its revision."""
        return [(body["data"]["alert_id"], body["data"]["revision"]) for body in self.bodies]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What a webhook's message says of each alert."""
        if not self.told:
            return []
        listed: list[dict[str, Any]] = self.told["data"].get("alerts", [self.told])
        return listed


class Receivers:
    """Both of them, on free ports, while the context lasts. ``refusing``: the share of messages that are not taken."""

    def __init__(self, seed: int = 0, refusing: float = 0.0, slow: float = 0.0) -> None:
        self.receipts: list[Receipt] = []
        self.refusing = refusing
        self.slow = slow
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self._checks = Webhook(self._secret)
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._hook = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._hook.daemon_threads = True
        self._mail = _MailServer(self)
        self._threads = [
            threading.Thread(target=self._hook.serve_forever, kwargs={"poll_interval": 0.02}),
            threading.Thread(target=self._mail.run),
        ]

    def __enter__(self) -> Receivers:
        for thread in self._threads:
            thread.start()
        self._mail.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.shutdown()
        self._mail.stop()
        for thread in self._threads:
            thread.join()
        self._hook.server_close()

    def write_file(self, directory: Path, epoch: int) -> Path:
        """The file of recipients for one life of the process."""
        for name, text in (("hook.secret", self._secret), ("mail.password", PASSWORD)):
            (directory / name).touch(mode=0o600)
            (directory / name).write_text(text)
        file = directory / "recipients.toml"
        file.write_text(_RECIPIENTS.format(hook=self._hook.server_port, mail=self._mail.port, epoch=epoch))
        return file

    def of(self, channel: str) -> list[Receipt]:
        """What has arrived over a channel, in order."""
        with self._lock:
            return [receipt for receipt in self.receipts if receipt.channel == channel]

    def post(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Note what was posted, and give the status to answer with."""
        fault = None
        try:
            self._checks.verify(body, headers)
        except WebhookVerificationError as error:
            fault = str(error)
        status = self._status()
        epoch = int(path.rpartition("/")[2])
        taken = status < 300
        self._note(Receipt(headers["webhook-id"], "hook", epoch, time_source.now(), taken, fault, json.loads(body)))
        return status

    def mail(self, login: str, content: bytes) -> str:
        """Note a mail, and give the reply."""
        headers = BytesHeaderParser().parsebytes(content)
        delivery = str(headers["Message-ID"]).strip("<>").partition("@")[0]
        taken = self._status() < 300
        self._note(Receipt(delivery, "mail", int(login.rpartition("-")[2]), time_source.now(), taken))
        return "250 OK" if taken else "451 try again later"

    def _status(self) -> int:
        with self._lock:
            refuses = self._chance.random() < self.refusing
            pause = self._chance.uniform(0, SLOW_SECONDS_MAX) if self._chance.random() < self.slow else 0.0
        time.sleep(pause)
        return 500 if refuses else 204

    def _note(self, receipt: Receipt) -> None:
        with self._lock:
            self.receipts.append(receipt)


def _handler(receivers: Receivers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(body) != int(self.headers["content-length"]):
                return  # whoever sent it was killed in the middle
            status = receivers.post(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                """Whoever sent it was killed."""

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


class _MailServer:
    """An SMTP server in an event loop of its own."""

    def __init__(self, receivers: Receivers) -> None:
        # At every login the library warns of an attribute that it uses itself.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self._receivers = receivers
        self.ready = threading.Event()
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        asyncio.run(self._serve())

    def stop(self) -> None:
        """End ``run``."""
        assert self._loop is not None, "it runs"
        assert self._end is not None, "and can be told to end"
        self._loop.call_soon_threadsafe(self._end.set)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        try:
            await self._end.wait()
        finally:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    def _connected(self) -> SMTP:
        return SMTP(
            self,
            hostname="localhost",
            auth_require_tls=False,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == PASSWORD.encode(), auth_data=data.login.decode(), handled=False)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        return await asyncio.to_thread(self._receivers.mail, str(session.auth_data), envelope.content)
