"""Real receivers on free ports: an HTTP server that misbehaves as it is told to, and a mail server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int = 204
    headers: Mapping[str, str] = {}


#: ``silent`` never answers; ``trickling`` begins an answer and goes on for ever; ``reset`` breaks the connection off.
Fault = Literal["silent", "trickling", "reset"]


class Post(NamedTuple):
    """What was posted."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpReceiver:
    """Answers each post with the next of ``answers``, then with ``always``. ``taken`` are the ids it answered with success."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.taken: list[str] = []
        self.answers: list[Answer | Fault] = []
        self.always: Answer | Fault = Answer()
        self.at_once_max = 0
        self.answers_after_seconds = 0.0
        self.port = 0
        self._at_once = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=in-the-address"

    @property
    def ids(self) -> list[str]:
        return [post.headers["webhook-id"] for post in self.posts]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._at_once += 1
            self.at_once_max = max(self.at_once_max, self._at_once)
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._at_once -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts.append(Post(head[0].split(" ")[1], headers, body))
        await asyncio.sleep(self.answers_after_seconds)
        answer = self.answers.pop(0) if self.answers else self.always
        if answer == "silent":
            await reader.read()
        elif answer == "trickling":
            writer.write(b"HTTP/1.1 2")
            while not reader.at_eof():
                writer.write(b"0")
                await writer.drain()
                await asyncio.sleep(0.05)
        elif answer == "reset":
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            given = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            if answer.status < 300:
                self.taken.append(headers["webhook-id"])
            writer.write(f"HTTP/1.1 {answer.status} X\r\ncontent-length: 0\r\n{given}\r\n".encode())
            await writer.drain()


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    """An HTTP receiver while it is needed."""
    receiver = HttpReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


#: What a scanner answers about the mail of a number (0, 1, …), in its own time.
Scan = Callable[[int], Awaitable[str]]


class Mailbox:
    """What a mail server was sent. ``refusals`` are answered, one a recipient, before anything is taken.

    ``scan`` holds the answer to the final dot back: the mail is there, and counts, and the server has not yet said so.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.logins: list[str] = []
        self.refusals: list[str] = []
        self.was_encrypted: list[bool] = []
        self.down = False
        self.scan: Scan | None = None
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.down:
            return "451 try again later"
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = BytesParser(policy=default).parsebytes(envelope.content)
        self.mails.append(cast(EmailMessage, mail))
        self.was_encrypted.append(session.ssl is not None)
        return "250 OK" if self.scan is None else await self.scan(len(self.mails) - 1)

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == b"a mail password", handled=False)


@asynccontextmanager
async def mail_server(
    certificate: Path | None = None, *, implicit: bool = False, login: bool = False
) -> AsyncIterator[Mailbox]:
    """A mail server while it is needed; with a certificate it insists on TLS."""
    box = Mailbox()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    connections: list[SMTP] = []

    def connected() -> SMTP:
        smtp = SMTP(
            box,
            hostname="localhost",
            tls_context=None if implicit else context,
            require_starttls=context is not None and not implicit,
            auth_required=login,
            auth_require_tls=not implicit,
            authenticator=box.authenticate,
            loop=asyncio.get_running_loop(),
        )
        connections.append(smtp)
        return smtp

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connected, "127.0.0.1", 0, ssl=context if implicit else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for smtp in connections:
            if smtp.transport is not None:
                smtp.transport.close()
        await asyncio.sleep(0.01)  # for the transports to close: the loop may end now


def make_certificate(directory: Path) -> Path:
    """A certificate for this machine, its key beside it, made by openssl."""
    certificate = directory / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate
