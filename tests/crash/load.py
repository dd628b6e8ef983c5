"""Senders that do what every sender must: send the same again until it is answered, and remember what was said."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, Final, NamedTuple

import httpx2

from tests.crash.deployment import Deployment
from tests.crash.stories import Author, Line, lifetime

PAUSE_SECONDS: Final = 0.05
TIMEOUT_SECONDS: Final = 60.0
#: How long a request may go unanswered before that is a fault by itself.
PATIENCE_SECONDS: Final = 300.0
#: Between two requests of one sender, at most.
REST_SECONDS_MAX: Final = 0.1
SPONSOR: Final = "sponsor"
JUDGED_WAITING_MAX: Final = 20

#: What is reported of one subject, request by request.
Life = Callable[[random.Random, str], Iterator[list[Line]]]

MODES: Final = {
    "structured": "application/cloudevents+json",
    "batched": "application/cloudevents-batch+json",
    "lines": "application/x-ndjson",
    "binary": "application/json",
}


class Answer(NamedTuple):
    """What the gateway said of one event. ``asked``: how often the request was sent."""

    line: Line
    status: str
    position: str | None
    asked: int


class Book:
    """Every answer, in the order in which they came, and every answer that none should be."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.surprises: list[str] = []
        self.put_off = 0
        self._lock = threading.Lock()

    def note(self, answers: Sequence[Answer]) -> None:
        """Answers to one request."""
        with self._lock:
            self.answers += answers

    def note_surprise(self, surprise: str) -> None:
        """An answer that is none of those that the interface lists."""
        with self._lock:
            self.surprises.append(surprise)

    def note_put_off(self) -> None:
        """503, in due form."""
        with self._lock:
            self.put_off += 1


class Sender:
    """One sender with its key: sends a request until it is answered, wherever the gateway is by then."""

    def __init__(self, deployment: Deployment, key: str, book: Book, gave_up: threading.Event | None = None) -> None:
        self._deployment = deployment
        self._gave_up = gave_up or threading.Event()
        self._client = httpx2.Client(headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_SECONDS)
        self._book = book

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, lines: Sequence[Line], mode: str = "lines") -> list[Answer]:
        """Send events as one request, again and again until each has its result; none where it is given up."""
        headers, body = _request(lines, mode)
        asked, end = 1, time.monotonic() + PATIENCE_SECONDS
        while (response := self._try(headers, body)) is None:
            if self._gave_up.wait(PAUSE_SECONDS):
                return []
            assert time.monotonic() < end, f"no answer in {PATIENCE_SECONDS:.0f} s"
            asked += 1
        if response.status_code not in (202, 207, 422):
            self._book.note_surprise(f"{response.status_code} {response.text[:300]}")
            return []
        results = response.json()["results"]
        assert len(results) == len(lines), response.text
        answers = [
            Answer(line, result["status"], result.get("position"), asked)
            for line, result in zip(lines, results, strict=True)
        ]
        self._book.note(answers)
        return answers

    def _try(self, headers: dict[str, str], body: bytes) -> httpx2.Response | None:
        """The answer; None where there was none, or it was "later"."""
        url = self._deployment.url
        if url is None:
            return None
        try:
            response = self._client.post(f"{url}/v1/events", content=body, headers=headers)
        except httpx2.TransportError:
            return None
        if response.status_code == 503:
            if "Retry-After" not in response.headers:
                self._book.note_surprise(f"503 without Retry-After: {response.text[:300]}")
            self._book.note_put_off()
            return None
        return response


def _request(lines: Sequence[Line], mode: str) -> tuple[dict[str, str], bytes]:
    headers = {"Content-Type": MODES[mode]}
    if mode == "lines":
        return headers, b"\n".join(line.body for line in lines)
    if mode == "batched":
        return headers, b"[" + b", ".join(line.body for line in lines) + b"]"
    (line,) = lines
    if mode == "structured":
        return headers, line.body
    event: dict[str, Any] = json.loads(line.body)
    data = event.pop("data")
    return {**headers, **{f"ce-{name}": value for name, value in event.items()}}, json.dumps(data).encode()


class Load:
    """A steady load from several sites and the sponsor, each a thread, while the context lasts or until ``stop``.

    ``whole_lives_min``: so many subjects of each site are told of to the end, though it be stopped before.
    """

    def __init__(
        self,
        deployment: Deployment,
        keys: dict[str, str],
        seed: int = 0,
        life: Life = lifetime,
        *,
        whole_lives_min: int = 0,
        book: Book | None = None,
    ) -> None:
        self.book = book or Book()
        self._life = life
        self._stopping = threading.Event()
        self._gave_up = threading.Event()
        self._senders = ExitStack()
        self._judged: list[tuple[Author, str]] = []
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self._threads = []
        self._whole_lives_min = whole_lives_min
        for number, (name, key) in enumerate(sorted(keys.items())):
            sender = self._senders.enter_context(Sender(deployment, key, self.book, self._gave_up))
            chance = random.Random(seed * 1000 + number)
            work = partial(self._report, sender, chance, name)
            if name == SPONSOR:
                work = partial(self._decide, sender, chance)
            self._threads.append(threading.Thread(target=self._guarded, args=(work,), name=f"load {name}"))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # There may be nobody any more who answers.
            self._gave_up.set()
        self.stop()

    def stop(self) -> None:
        """Send nothing new, have the last answers, and raise what went wrong in a thread."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._senders.close()
        if self._failures and not self._gave_up.is_set():
            raise self._failures[0]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - raised where the load is stopped
            self._failures.append(failure)

    def _report(self, sender: Sender, chance: random.Random, site: str) -> None:
        for number in count(1):
            subject = f"{site}-{number:04d}"
            for lines in self._life(chance, subject):
                self._rest(chance)
                if self._stopping.is_set() and number > self._whole_lives_min:
                    return
                answers = sender.send(lines, _mode(chance, lines))
                if any(answer.line.record == "AE-1" for answer in answers):
                    self._offer(subject)

    def _decide(self, sender: Sender, chance: random.Random) -> None:
        decided: set[str] = set()
        while not self._stopping.is_set():
            self._rest(chance)
            with self._lock:
                waiting, self._judged = self._judged, []
            for author, name in waiting:
                if author.subject not in decided and chance.random() < 0.5:
                    decided.add(author.subject)
                    sender.send([author.adjudicated(name, chance.choice(["dlt", "not-dlt"]))])

    def _offer(self, subject: str) -> None:
        with self._lock:
            if len(self._judged) < JUDGED_WAITING_MAX:
                self._judged.append((Author(subject), "AE-1"))

    def _rest(self, chance: random.Random) -> None:
        self._stopping.wait(chance.uniform(0, REST_SECONDS_MAX))


def _mode(chance: random.Random, lines: Sequence[Line]) -> str:
    """Any that can hold them. A refused event is kept as its sender wrote it only where it travels whole."""
    modes = ["lines", "batched"]
    if len(lines) == 1:
        modes += ["structured"] if lines[0].becomes == "refused" else ["structured", "binary"]
    return chance.choice(modes)
