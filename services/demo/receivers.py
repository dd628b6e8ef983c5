"""Somebody to tell: a mailbox behind a real SMTP server, and a webhook that checks signatures. On this machine only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HOOK_PATH: Final = "/hook"


class DemoMailbox:
    """An SMTP server that puts every message in a Maildir."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self._controller = Controller(Mailbox(directory), hostname="127.0.0.1", port=port)

    def start(self) -> None:
        """Listen."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    @property
    def count(self) -> int:
        """How many messages have arrived."""
        return sum(1 for _ in (self.directory / "new").glob("*"))


class DemoWebhook:
    """A receiver that writes what it got to a file, one message a line, once its signature is found right."""

    def __init__(self, file: Path, secret: str) -> None:
        self._file = file
        self._checks = Webhook(secret)
        self.count = 0
        self.app: Final = Starlette(routes=[Route(HOOK_PATH, self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        try:
            self._checks.verify(body, dict(request.headers))
        except WebhookVerificationError:
            return Response(status_code=401)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json.loads(body)) + "\n")
        self.count += 1
        return Response(status_code=204)
