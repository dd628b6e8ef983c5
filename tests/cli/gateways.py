"""A server that answers as it is told, over real connections: what a gateway, or what stands before it, may do to a sender."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

KEY = "txw_k1_c2VjcmV0LXNlY3JldC1zZWNyZXQ"


class Received(NamedTuple):
    """A request as it came."""

    path: str
    headers: dict[str, str]
    lines: list[bytes]


class Reply(NamedTuple):
    """What to answer. ``resets``: nothing, and the connection is torn down."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    resets: bool = False


RESET = Reply(0, resets=True)

Behaviour = Callable[[Received], Reply]


class Gateway(NamedTuple):
    """Where it listens, and what it was sent."""

    url: str
    received: list[Received]


@contextmanager
def gateway(behaviour: Behaviour) -> Iterator[Gateway]:
    """A server on a free port that answers each request by ``behaviour``."""
    received: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body.split(b"\n"))
            received.append(request)
            reply = behaviour(request)
            if reply.resets:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Gateway(f"http://127.0.0.1:{server.server_port}", received)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Memory:
    """A gateway that remembers ids: the first of each is accepted, the next a duplicate, and one that says "bad" refused."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, request: Received) -> Reply:
        results = [self._result(json.loads(line)["id"]) for line in request.lines]
        bad = sum(result["status"] == "refused" for result in results)
        return Reply(422 if bad == len(results) else 207 if bad else 202, {"results": results})

    def _result(self, event_id: str) -> dict[str, str]:
        if "bad" in event_id:
            return {"id": event_id, "status": "refused", "error": "data.grade: 7 is not a CTCAE grade 1-5"}
        status = "duplicate" if event_id in self.ids else "accepted"
        if status == "accepted":
            self.ids.append(event_id)
        return {"id": event_id, "status": status, "position": "0/1"}


def after(*first: Reply, then: Behaviour) -> Behaviour:
    """Some replies, one a request, and then something else."""
    waiting = list(first)
    return lambda request: waiting.pop(0) if waiting else then(request)


def event(number: int | str, size: int = 0) -> bytes:
    """A line of one event; ``size`` makes it longer."""
    return json.dumps({"id": f"e-{number}", "x": "x" * size}).encode()
