"""Every mode of the CloudEvents HTTP binding, and what is kept of the bytes."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from events.codec import LINE_BYTES_MAX, Codec
from events.errors import EventRefused
from services.gateway import messages
from services.gateway.messages import message_again
from tests.gateway.serving import BATCHED, LINES, NOW, STRUCTURED, Gateway, ae, results, statuses

STAMP = b',"receivedtime":"2017-06-01T00:00:00Z"'


def binary(event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    headers = {f"ce-{name}": quote(value, safe=":/") for name, value in event.items() if name != "data"}
    return json.dumps(event["data"]).encode(), headers


def test_a_structured_event_is_kept_as_its_sender_wrote_it(any_gateway: Gateway) -> None:
    """With its stamp before the last brace, and every other byte as it was."""
    raw = json.dumps(ae(1), indent=None, separators=(" , ", ":  ")).encode()
    answer = any_gateway.post(raw)
    assert answer.status_code == 202
    assert results(answer) == [{"id": "e-1", "status": "accepted", "position": "0/0"}]
    assert any_gateway.stored() == [raw[:-1] + STAMP + b"}"]
    assert any_gateway.decoded()[0].received == NOW


def test_an_event_over_several_lines_is_one_line_of_the_log(gateway: Gateway) -> None:
    """A line break in JSON only parts tokens; the log is exported with one event a line."""
    raw = json.dumps(ae(1), indent=2).encode().replace(b"\n", b"\r\n")
    assert gateway.post(b"\n" + raw + b"\n").status_code == 202
    assert gateway.stored() == [raw.replace(b"\r\n", b"  ")[:-1] + STAMP + b"}"]


def test_a_batch_is_split_without_being_written_anew(gateway: Gateway) -> None:
    """Numbers, escapes and white space of each event stay as they were."""
    pieces = [json.dumps(ae(n)).replace("Colitis", "Col\\u0069tis é").encode() for n in range(3)]
    answer = gateway.post(b" [\n" + b" ,\n".join(pieces) + b"\n] ", BATCHED)
    assert (answer.status_code, statuses(answer)) == (202, ["accepted"] * 3)
    assert gateway.stored() == [piece[:-1] + STAMP + b"}" for piece in pieces]


def test_lines(gateway: Gateway) -> None:
    """Blank ones and the carriage returns of another system are no events."""
    pieces = [json.dumps(ae(n)).encode() for n in range(3)]
    answer = gateway.post(b"\r\n".join([pieces[0], b"", pieces[1], b"   ", pieces[2], b""]), LINES)
    assert (answer.status_code, statuses(answer)) == (202, ["accepted"] * 3)
    assert gateway.stored() == [piece[:-1] + STAMP + b"}" for piece in pieces]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8"])
def test_binary_mode(gateway: Gateway, content_type: str) -> None:
    """Attributes are headers, percent-encoded; the event is the same as in structured mode."""
    event = ae(1, actor='Zoë "C" \\ 100%')
    body, headers = binary(event)
    assert gateway.post(body, content_type, **headers).status_code == 202
    assert json.loads(gateway.stored()[0].replace(STAMP, b"")) == event
    assert statuses(gateway.post(event)) == ["duplicate"]


def test_a_quoted_header_is_unquoted(gateway: Gateway) -> None:
    """CloudEvents, HTTP binding, 3.1.3.2."""
    body, headers = binary(ae(1))
    headers["ce-actor"] = r'"a \"b\" \\ c"'
    assert gateway.post(body, "application/json", **headers).status_code == 202
    assert gateway.decoded()[0].event.actor == r'a "b" \ c'


def test_a_header_that_encodes_no_utf_8_is_refused(gateway: Gateway) -> None:
    """Or what is kept is not what was meant; half a character and an overlong one too. Parked, and refused again alike."""
    codec = Codec(gateway.protocol.contract)
    for name in ("actor", "subject", "id"):
        for value in ("a%FF", "%C3", "%ED%A0%80", "%C0%AF", '"%ff"'):
            body, headers = binary(ae(1, data={"grade": 4}))
            answer = gateway.post(body, "application/json", **{**headers, f"ce-{name}": value})
            assert answer.status_code == 422
            error = f"{name}: the header 'ce-{name}' is percent-encoded, and what it encodes is not UTF-8"
            assert results(answer) == [{"id": None if name == "id" else "e-1", "status": "refused", "error": error}]
            letter = gateway.letters()[-1]
            assert letter.is_severe
            again = message_again(letter.raw, json.loads(letter.headers))
            assert isinstance(codec.read(again.event), EventRefused)


def test_headers_that_are_not_encoded_are_read_as_they_are(gateway: Gateway) -> None:
    """As some SDKs send them: in UTF-8, in Latin-1, and with a per cent sign that encodes nothing."""
    for number, (actor, sent) in enumerate(
        [("Zo\u00eb", "Zo\u00eb".encode()), ("Zo\u00eb", b"Zo\xeb"), ("5% x", b"5% x")]
    ):
        body, headers = binary(ae(number))
        given = [(name.encode(), value.encode()) for name, value in headers.items()] + [(b"ce-actor", sent)]
        everyone = [
            (name.encode(), value.encode()) for name, value in gateway.headers("FR01", "application/json").items()
        ]
        assert gateway.client.post("/v1/events", content=body, headers=[*everyone, *given]).status_code == 202
        assert gateway.decoded()[-1].event.actor == actor


@pytest.mark.parametrize("mode", ["structured", "batched", "lines"])
def test_json_in_base64_stands_in_the_log_as_data(any_gateway: Gateway, mode: str) -> None:
    """What the official Python SDK sends where it is given bytes; the same event in another mode is a duplicate."""
    plain = ae(1)
    event = {name: value for name, value in plain.items() if name != "data"}
    event["data_base64"] = base64.b64encode(json.dumps(plain["data"]).encode()).decode()
    content_type = {"structured": STRUCTURED, "batched": BATCHED, "lines": LINES}[mode]
    answer = any_gateway.post(event if mode == "structured" else [event], content_type)
    assert (answer.status_code, statuses(answer)) == (202, ["accepted"])
    assert json.loads(any_gateway.stored()[0].replace(STAMP, b"")) == plain
    assert statuses(any_gateway.post(plain)) == ["duplicate"]
    both = any_gateway.post({**ae(2, data={"grade": 4}), "data_base64": "e30="})
    assert results(both)[0]["error"] == "data_base64: data is given too; send one of the two"
    assert any_gateway.letters()[0].is_severe


def test_another_content_type_of_binary_data_is_its_attribute(gateway: Gateway) -> None:
    """Parameters that say more than that JSON is UTF-8 are kept."""
    body, headers = binary(ae(1))
    assert gateway.post(body, "application/json; profile=x", **headers).status_code == 202
    assert gateway.decoded()[0].event.datacontenttype == "application/json; profile=x"


@pytest.mark.parametrize(
    "body",
    [
        b'{},"subject":"FR02-001"',
        b'{"ae_id":"AE-1","revision":1,"term":"x"},"site":"FR02","y":{}',
        b'{"ae_id":"AE-1","revision":1,"term":"x"}}{',
        b'{"ae_id":"AE-1","revision":1,"term":"x"',
        b"",
        b"{} {}",
        b"[" * 100_000,
    ],
)
def test_binary_data_is_one_value_by_itself(gateway: Gateway, body: bytes) -> None:
    """What would become an attribute, or another event, is refused with its bytes and headers."""
    _, headers = binary(ae(1))
    answer = gateway.post(body, "application/json", **headers)
    assert (answer.status_code, statuses(answer)) == (422, ["refused"])
    assert results(answer)[0]["error"].startswith("data: ")
    (letter,) = gateway.letters()
    assert letter.raw == body
    assert ["subject", "FR01-001"] in json.loads(letter.headers)
    assert gateway.stored() == []


def test_an_attribute_given_twice_is_refused(gateway: Gateway) -> None:
    """Also under the name of the data."""
    body, headers = binary(ae(1))
    answer = gateway.post(body, "application/json", **headers, **{"ce-data": "x"})
    assert answer.status_code == 422
    assert "given twice" in results(answer)[0]["error"]


def test_a_whole_event_in_binary_mode_is_told_where_it_belongs(gateway: Gateway) -> None:
    """The commonest mistake: structured JSON sent as plain JSON. It is parked, and read for severity all the same."""
    answer = gateway.post(ae(1, data={"grade": 4}), "application/json")
    assert answer.status_code == 422
    assert STRUCTURED in results(answer)[0]["error"]
    assert gateway.letters()[0].is_severe


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[{A},{B},{C}]", "aaa"),
        (b"[]", ""),
        (b"[{A},{B},oops,{C}]", "aara"),
        (b"[{A},{B-},{C}]", "ara"),
        (b"[{A},{B'},{C}]", "ara"),
        (b"[{A},{B}},{C}]", "ara"),
        (b'[{A},{"a":1,},{C}]', "ara"),
        (b"[{A},{B},,{C}]", "aara"),
        (b"[{A} {B},{C}]", "aaa"),
        (b"[{A},{B},{C},]", "aaar"),
        (b"[{A},{B},{C-", "aar"),
        (b"[{A},{B},{C}", "aaar"),
        (b"[{A},{B}] x", "aar"),
        (b"[{A}],{B},{C}]", "araa"),
        (b"[] x", "r"),
        (b"[]]", "r"),
        (b"[1,{B},null]", "rar"),
        (b"{A}", "r"),
        (b"", "r"),
    ],
)
def test_a_broken_element_does_not_take_the_others_with_it(gateway: Gateway, body: bytes, expected: str) -> None:
    """`{A}` is a good event, `{B-}` one without its last brace, `{B'}` one without one of its quotes."""
    for number, name in enumerate(b"ABC"):
        good = json.dumps(ae(number, data={"x": {"a": [{"b": "},{"}]}})).encode()
        body = body.replace(b"{%c}" % name, good).replace(b"{%c-}" % name, good[:-1]).replace(b"{%c-" % name, good[:-9])
        body = body.replace(b"{%c'}" % name, good.replace(b'"AE-', b"AE-"))
    answer = gateway.post(body, BATCHED)
    assert "".join(status[0] for status in statuses(answer)) == expected
    assert len(gateway.stored()) == expected.count("a")
    assert sum(letter.times for letter in gateway.letters()) == expected.count("r")


@pytest.mark.parametrize("mode", ["structured", "batched", "binary", "lines"])
def test_bytes_that_are_not_utf_8_are_refused_and_kept(gateway: Gateway, mode: str) -> None:
    """Each byte as it was."""
    raw = json.dumps(ae(1)).encode().replace(b"Colitis", b"Col\xeftis")
    if mode == "binary":
        body, headers = binary(ae(1))
        answer = gateway.post(body.replace(b"Colitis", b"Col\xeftis"), "application/json", **headers)
    else:
        content_type = {"structured": STRUCTURED, "batched": BATCHED, "lines": LINES}[mode]
        answer = gateway.post(b"[" + raw + b"]" if mode == "batched" else raw, content_type)
    assert answer.status_code == 422
    assert "not UTF-8" in results(answer)[0]["error"]
    assert b"Col\xeftis" in gateway.letters()[0].raw


@pytest.mark.parametrize("mode", ["structured", "batched", "binary"])
def test_a_line_break_inside_a_text_is_refused(gateway: Gateway, mode: str) -> None:
    """It is no JSON, and must not become a space on the way."""
    raw = json.dumps(ae(1)).encode().replace(b"Colitis", b"Col\nitis")
    if mode == "binary":
        body, headers = binary(ae(1))
        answer = gateway.post(body.replace(b"Colitis", b"Col\nitis"), "application/json", **headers)
    elif mode == "batched":
        answer = gateway.post(b"[" + raw + b"]", BATCHED)
    else:
        answer = gateway.post(raw)
    assert answer.status_code == 422


@pytest.mark.parametrize("mode", ["structured", "batched", "binary", "lines"])
def test_what_is_too_large_is_refused_before_it_is_parsed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """In every mode: 4 MiB are neither one JSON value to be looked at, nor base64 to be decoded."""
    parsed: list[int] = []
    looked_at = messages._is_one_value
    monkeypatch.setattr(messages, "_is_one_value", lambda data: parsed.append(len(data)) or looked_at(data))
    plain = messages.with_plain_data
    monkeypatch.setattr(messages, "with_plain_data", lambda raw: parsed.append(len(raw)) or plain(raw))
    large = ae(1, data={"x": {"a": ["y" * 2000] * 2000}})
    if mode == "binary":
        body, headers = binary(large)
        answer = gateway.post(body, "application/json", **headers)
    else:
        content_type = {"structured": STRUCTURED, "batched": BATCHED, "lines": LINES}[mode]
        answer = gateway.post(large if mode == "structured" else [large], content_type)
    (result,) = results(answer)
    assert (answer.status_code, result["id"] in ("e-1", None)) == (422, True)
    assert f"bytes; at most {LINE_BYTES_MAX} are taken" in result["error"]
    assert all(size <= LINE_BYTES_MAX for size in parsed)
