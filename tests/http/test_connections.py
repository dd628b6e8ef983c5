"""A real server among connections that say nothing, say it slowly, do not read, or are too many."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from structlog.testing import CapturingLogger

from services.http import acceptor, metrics_server
from services.http.connection_limits import ConnectionLimits
from services.http.metrics_server import Pulse, serve_health
from services.http.servers import Throttled, listening, server_of
from services.platform.metrics import Metrics

PATIENCE: Final = 30.0
QUICK: Final = ConnectionLimits(60, 40, 1.0, 1.0, 1.0, 1.0)
LARGE: Final = "x" * 20_000_000


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def _large(_request: Request) -> Response:
    return PlainTextResponse(LARGE)


ANSWERING: Final = threading.Event()


async def _slow(request: Request) -> Response:
    ANSWERING.set()
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("slow")


APP: Final = Router([Route("/", _hello, methods=["GET", "POST"]), Route("/large", _large), Route("/slow", _slow)])


@contextmanager
def served(limits: ConnectionLimits) -> Iterator[tuple[str, int]]:
    """The address of a server with these limits."""
    with listening("127.0.0.1:0") as listener:
        server = server_of(APP, limits)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield listener.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join()


def get(address: tuple[str, int], path: str = "/") -> str:
    return httpx2.get("http://{}:{}".format(*address) + path, timeout=PATIENCE).text


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    connection.settimeout(PATIENCE)
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("nothing", b""),
        ("half a head", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long:"),
        ("a body that nobody waits for", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"),
    ],
)
def test_a_connection_that_does_not_go_on_is_closed(name: str, sent: bytes) -> None:
    """After its time, and what was asked is answered before."""
    with served(QUICK) as address, socket.create_connection(address) as connection:
        connection.sendall(sent)
        answer = rest_of(connection)
    assert answer.endswith(b"hello" if "body" in name else b"")


def test_a_head_that_comes_byte_by_byte_has_no_longer_than_another() -> None:
    """Each byte is no new beginning."""
    with served(QUICK) as address, socket.create_connection(address) as connection:
        assert _is_cut_within(PATIENCE, lambda: connection.sendall(b"G"))


def _is_cut_within(seconds: float, send: Callable[[], None]) -> bool:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            send()
        except ConnectionError:
            return True
        time.sleep(0.1)
    return False


def test_a_reader_who_takes_nothing_is_cut() -> None:
    """Or an answer would be kept for as long as he likes."""
    with served(QUICK) as address, socket.create_connection(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(4)  # what is measured is that the answer is cut though nothing is read: there is nothing to wait for
        assert len(rest_of(connection)) < len(LARGE)


def test_silent_connections_keep_nobody_out() -> None:
    """Many more than are taken, all from one address; a request comes through at once, and so does one that is being answered."""
    patient = ConnectionLimits(60, 40)
    with served(patient) as address, ExitStack() as open_:
        answering = threading.Thread(target=lambda: slow.append(get(address, "/slow?seconds=2")))
        slow: list[str] = []
        ANSWERING.clear()
        answering.start()
        assert ANSWERING.wait(PATIENCE)
        for _ in range(300):
            open_.enter_context(socket.create_connection(address, timeout=PATIENCE))
        assert [get(address) for _ in range(5)] == ["hello"] * 5
        answering.join()
        assert slow == ["slow"]


def test_where_everybody_is_being_answered_one_more_is_told_so() -> None:
    """With a problem document and a time."""
    with served(ConnectionLimits(60, 3)) as address:
        threads = [threading.Thread(target=get, args=(address, "/slow?seconds=3")) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(1)  # until they are in; where the machine is slow, the next line finds an answer sooner or later
        answers = [httpx2.get("http://{}:{}".format(*address), timeout=PATIENCE) for _ in range(3)]
        assert {answer.status_code for answer in answers} <= {200, 503}
        for answer in answers:
            if answer.status_code == 503:
                assert (answer.json()["status"], answer.headers["retry-after"]) == (503, "2")
        for thread in threads:
            thread.join()


def test_running_out_of_descriptors_is_said_once_and_gets_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses to accept for a while: one line in the log, and afterwards the client that waited is served."""
    log = CapturingLogger()
    monkeypatch.setattr(acceptor, "log", log)
    failing = threading.Event()
    failing.set()
    accept = socket.socket.accept

    def refused(listener: socket.socket) -> Any:
        if failing.is_set():
            raise OSError(24, "Too many open files")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", refused)
    with served(QUICK) as address:
        waiting = threading.Thread(target=lambda: got.append(get(address)))
        got: list[str] = []
        waiting.start()
        time.sleep(1)  # ten attempts
        failing.clear()
        waiting.join()
    assert got == ["hello"]
    assert [call.args for call in log.calls].count(("accepting_failed",)) == 1


def test_health_answers_while_the_services_own_loop_does_not_go_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so: not ready where it is late; where it is stuck, `/healthz` fails, so that the process is started again."""
    monkeypatch.setattr(metrics_server, "LATE_SECONDS", 0.5)
    answers: dict[str, int] = {}

    def ask(address: str, name: str, path: str) -> None:
        answers[name] = httpx2.get(f"{address}{path}", timeout=PATIENCE).status_code

    async def run(listener: socket.socket) -> None:
        stopping = asyncio.Event()
        serving = asyncio.create_task(serve_health(Metrics(CollectorRegistry()), [], listener, stopping))
        address = "http://{}:{}".format(*listener.getsockname()[:2])
        await asyncio.to_thread(ask, address, "ready", "/readyz")

        def ask_later() -> None:
            time.sleep(1)
            ask(address, "alive", "/healthz")
            ask(address, "late", "/readyz")
            monkeypatch.setattr(metrics_server, "STUCK_SECONDS", 0.5)
            ask(address, "stuck", "/healthz")

        thread = threading.Thread(target=ask_later)
        thread.start()
        thread.join()  # in the loop, which is held for as long
        stopping.set()
        await serving

    with listening("127.0.0.1:0") as listener:
        asyncio.run(run(listener))
    assert answers == {"ready": 200, "alive": 200, "late": 503, "stuck": 503}
    assert Pulse().trouble() is None


def test_what_a_sender_can_repeat_is_logged_once_in_a_while() -> None:
    """A request that is none, ten thousand times, is one line; an error always is one."""

    def record(level: int, message: str) -> logging.LogRecord:
        return logging.LogRecord("uvicorn.error", level, "", 0, message, (), None)

    throttled = Throttled()
    warned = [throttled.filter(record(logging.WARNING, "Invalid HTTP request received.")) for _ in range(10_000)]
    assert sum(warned) == 1
    assert throttled.filter(record(logging.WARNING, "another"))
    assert all(throttled.filter(record(logging.ERROR, "a bug")) for _ in range(3))
