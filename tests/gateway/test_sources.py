"""Sources belong to keys: what a pattern takes in, what looks alike, what an operator has assigned, and what nobody is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.tables import audit
from services.cli.keys import keys_app
from services.cli.sources import sources_app
from services.gateway.keys import ApiKeyError, add_key
from services.gateway.sources import any_matches, fault_of_pattern, fault_of_source, is_of_people
from tests.cli.command_line import run
from tests.files.command_line import Outcome
from tests.gateway.serving import LINES, NOW, Gateway, ae, gateway_on, results

LABORATORY = "urn:lab:central"
NEUTRAL = "source: this key may not write it"


def new_key(gateway: Gateway, name: str, *sites: str, sources: tuple[str, ...] = (), role: str = "site") -> None:
    """A key that the gateway's tests know by its name."""
    first, *more = sites or (None,)
    others = [site for site in more if site is not None]
    with gateway.database.writing() as connection:
        made = add_key(connection, role, first, name, NOW, more_sites=others, sources=sources)
    gateway._keys[name] = made


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("urn:site:FR01:edc", None),
        ("https://edc.example.org:8443/a/b?c=d#e", None),
        ("edc-1", None),
        ("URN:site:FR01:edc", "write urn: in lower case"),
        ("urn:Site:FR01:edc", "write urn:site: in lower case"),
        ("https://EDC.example.org/", "write the host edc.example.org in lower case"),
        ("HTTPS://edc.example.org/", "write https: in lower case"),
        ("urn:site:FR01:ed\u200bc", "U+200B (ZERO WIDTH SPACE)"),
        ("urn:site:FR01:\u0435dc", "U+0435 (CYRILLIC SMALL LETTER IE)"),
        ("urn:site:FR01:\ufeffedc", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        ("https://\u0435dc.example.org/", "U+0435"),
        ("urn:site:FR01:\uff45dc", "U+FF45"),
        ("urn:site:FR01:edc ", "a space"),
        ("urn:site:FR01:%65dc", "percent-encoding"),
        ("urn:site:FR01:ed%E2%80%8Bc", "percent-encoding"),
        ("urn:site:FR01:*", "U+002A (ASTERISK)"),
    ],
)
def test_a_source_is_written_in_one_way(source: str, words: str | None) -> None:
    """What is refused has a sentence that names the character."""
    fault = fault_of_source(source)
    assert fault is None if words is None else fault is not None and words in fault


@pytest.mark.parametrize(
    ("pattern", "sites", "words"),
    [
        ("urn:site:FR01:*", ["FR01"], None),
        ("urn:site:FR01:lis", ["FR01", "FR02"], None),
        (LABORATORY, ["FR01"], None),
        ("https://lab.example.org/*", ["FR01"], None),
        ("urn:sponsor:clb:*", [], None),
        ("*", ["FR01"], "1 to 500 characters"),
        ("urn:*", ["FR01"], "urn:toxwatch:"),
        ("urn:site:*", ["FR01"], "urn:site:"),
        ("urn:site:FR0*", ["FR01"], "urn:site:"),
        ("urn:site:FR02:*", ["FR01"], "urn:site:"),
        ("urn:site:fr01:*", ["FR01"], "urn:site:"),
        ("urn:sponsor:*", ["FR01"], "urn:sponsor:"),
        ("urn:toxwatch:local", [], "urn:toxwatch:"),
        ("urn:site:FR01:*", [], "urn:site:"),
        ("urn:lab:*:x", ["FR01"], "only at the end"),
        ("urn:l\u0430b:*", ["FR01"], "CYRILLIC"),
    ],
)
def test_a_pattern_takes_in_nobody_elses_sources(pattern: str, sites: list[str], words: str | None) -> None:
    fault = fault_of_pattern(pattern, sites)
    assert fault is None if words is None else fault is not None and words in fault


def test_a_pattern_is_no_pattern_of_a_shell() -> None:
    assert any_matches(["urn:a?[b]"], "urn:a?[b]")
    assert not any_matches(["urn:a?c", "urn:[ab]"], "urn:abc")
    assert any_matches(["urn:a:*"], "urn:a:")
    assert not any_matches([], "urn:a")


@pytest.mark.parametrize("source", ["urn:sponsor:test", "urn:site:FR01:test", "urn:site:FR01:TEST"])
def test_what_signed_in_people_write_from_is_no_keys(any_gateway: Gateway, source: str) -> None:
    assert is_of_people(source, "test")
    assert not is_of_people(source + "x", "test")
    answer = any_gateway.post(ae(1, source=source))
    assert (answer.status_code, results(answer)[0]["error"]) == (403, NEUTRAL)


def test_a_source_is_its_keys_and_not_the_first_users(any_gateway: Gateway) -> None:
    """Whoever writes first gets nothing by it."""
    new_key(any_gateway, "laboratory", "FR01", sources=(LABORATORY, "urn:site:FR01:*"))
    assert any_gateway.post(ae(1, "FR02", source=LABORATORY), who="FR02").status_code == 403
    assert any_gateway.post(ae(2, source=LABORATORY), who="laboratory").status_code == 202
    assert any_gateway.post(ae(3), who="laboratory").status_code == 202
    assert any_gateway.post(ae(4, source=LABORATORY)).status_code == 403


def test_a_laboratory_writes_for_several_sites_from_one_source(any_gateway: Gateway) -> None:
    """For these and no other; a letter of it is filed under the site that it names."""
    new_key(any_gateway, "laboratory", "FR01", "FR02", sources=(LABORATORY,))
    sent = [ae(1, source=LABORATORY), ae(2, "FR02", source=LABORATORY), ae(3, "FR03", source=LABORATORY)]
    answer = any_gateway.post([*sent, ae(4, "FR02", source=LABORATORY, data={"grade": 9})], LINES, "laboratory")
    assert [result["status"] for result in results(answer)] == ["accepted", "accepted", "refused", "refused"]
    assert results(answer)[2]["error"] == "site: 'FR03' is not one of the sites of this key (FR01, FR02)"
    assert [letter.site for letter in any_gateway.letters()] == ["FR01", "FR02"]


def test_a_source_that_names_a_site_writes_for_no_other(gateway: Gateway) -> None:
    """Though the key may write from it, and for the other site."""
    new_key(gateway, "laboratory", "FR01", "FR02", sources=("urn:site:FR01:*", "urn:site:FR02:*"))
    assert gateway.post(ae(1, "FR02", source="urn:site:FR01:lis"), who="laboratory").status_code == 403
    assert gateway.post(ae(2, "FR02"), who="laboratory").status_code == 202


def test_a_sponsors_key_may_be_held_to_some_of_the_sponsors_sources(gateway: Gateway) -> None:
    new_key(gateway, "desk", role="sponsor", sources=("urn:sponsor:clb:*",))
    from tests.gateway.test_authority import adjudication

    assert gateway.post(adjudication(1), who="desk").status_code == 202
    assert gateway.post(adjudication(2, source="urn:sponsor:other"), who="desk").status_code == 403
    assert gateway.post(adjudication(3, source="urn:sponsor:other"), who="sponsor").status_code == 202


def test_one_text_tells_nobody_whose_a_source_or_record_is(gateway: Gateway) -> None:
    """The same for a source that is another's, the sponsor's, and nobody's."""
    gateway.post(ae(1, "FR02"), who="FR02")
    sources = ["urn:site:FR02:edc", "urn:sponsor:clb:safety", "urn:nobody:at-all", "urn:site:FR09:edc"]
    errors = {results(gateway.post(ae(2, source=source)))[0]["error"] for source in sources}
    assert errors == {NEUTRAL}


def test_two_sources_do_not_differ_by_capital_letters_alone(any_gateway: Gateway) -> None:
    """Also within one request. The one that was used is still taken."""
    answer = any_gateway.post([ae(1), ae(2, source="urn:site:FR01:EDC"), ae(3)], LINES)
    assert [result["status"] for result in results(answer)] == ["accepted", "refused", "accepted"]
    assert "capital letters" in results(answer)[1]["error"]
    assert any_gateway.post(ae(4, source="urn:site:FR01:eDc")).status_code == 422


@pytest.fixture
def directory(sqlite: Database, tmp_path: Path) -> Path:
    """The directory of a deployment."""
    return tmp_path


def typed(directory: Path, *arguments: str) -> Outcome:
    return run(sources_app, *arguments, "--data", str(directory))


def test_what_is_assigned_is_written_by_those_sites_alone_until_it_is_released(
    gateway: Gateway, directory: Path
) -> None:
    """Whatever the keys say; at once, with who and why."""
    new_key(gateway, "FR03", "FR03", sources=("urn:lab:*",))
    assert gateway.post(ae(1, "FR03", source=LABORATORY), who="FR03").status_code == 202
    done = typed(directory, "assign", LABORATORY, "--site", "FR01", "--site", "FR02", "--reason", "contract 7")
    assert done.code == 0, done.err
    assert gateway.post(ae(2, source=LABORATORY)).status_code == 202
    assert gateway.post(ae(3, "FR02", source=LABORATORY), who="FR02").status_code == 202
    assert gateway.post(ae(4, "FR03", source=LABORATORY), who="FR03").status_code == 403
    listed = json.loads(typed(directory, "list", "--format", "json").out)
    assigned = [row for row in listed if row["state"] == "assigned"]
    assert [(row["source"], row["site"], row["reason"]) for row in assigned] == [
        (LABORATORY, "FR01", "contract 7"),
        (LABORATORY, "FR02", "contract 7"),
    ]
    assert {(row["source"], row["site"]) for row in listed if row["state"] == "used"} >= {(LABORATORY, "FR03")}
    assert typed(directory, "release", LABORATORY, "--reason", "contract ended").code == 0
    assert gateway.post(ae(5, source=LABORATORY)).status_code == 403
    assert gateway.post(ae(6, "FR03", source=LABORATORY), who="FR03").status_code == 202
    with gateway.database.reading() as connection:
        done_by = connection.execute(select(audit.c.action, audit.c.reason).order_by(audit.c.id)).all()
    assert [tuple(row) for row in done_by if row.reason] == [
        ("sources assign", "contract 7"),
        ("sources release", "contract ended"),
    ]


def test_a_release_takes_a_source_out_of_the_keys_that_name_it(gateway: Gateway, directory: Path) -> None:
    """And leaves them the rest."""
    new_key(gateway, "laboratory", "FR01", sources=(LABORATORY, "urn:lab:other"))
    done = typed(directory, "release", LABORATORY, "--reason", "was FR02's")
    assert "the right of key" in done.err
    assert gateway.post(ae(1, source=LABORATORY), who="laboratory").status_code == 403
    assert gateway.post(ae(2, source="urn:lab:other"), who="laboratory").status_code == 202
    assert typed(directory, "release", LABORATORY, "--reason", "again").code == 1
    assert typed(directory, "release", "urn:lab:other", "--reason", "too").code == 0
    assert gateway.post(ae(3), who="laboratory").status_code == 403, "nothing is left, not what is usual"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("assign", "urn:site:FR02:*", "--site", "FR01", "--reason", "r"), "urn:site:"),
        (("assign", LABORATORY, "--site", "F R", "--reason", "r"), "not the id of a site"),
        (("assign", LABORATORY, "--site", "FR01", "--reason", " "), "say why"),
        (("assign", LABORATORY, "--reason", "r"), "--site"),
        (("assign", "urn:site:FR01:local", "--site", "FR01", "--reason", "r"), "signed-in people"),
        (("release", LABORATORY, "--reason", ""), "say why"),
    ],
)
def test_what_cannot_be_assigned_is_said(directory: Path, arguments: tuple[str, ...], words: str) -> None:
    done = typed(directory, *arguments)
    assert done.code == 64
    assert words in done.err


def test_the_protocols_configuration_may_assign_too(sqlite: Database) -> None:
    protocol = replace(PROTOCOL, shared_sources=((LABORATORY, frozenset({"FR02"})),))
    with gateway_on(sqlite, protocol=protocol) as gateway:
        assert gateway.post(ae(1, "FR02", source=LABORATORY), who="FR02").status_code == 202
        assert gateway.post(ae(2, source=LABORATORY)).status_code == 403


def test_a_key_is_made_with_its_sites_and_sources(directory: Path) -> None:
    sites = ("--site", "FR01", "--site", "FR02")
    made = run(keys_app, "add", "--role", "site", *sites, "--source", LABORATORY, "--data", str(directory))
    assert made.code == 0, made.err
    (listed,) = json.loads(run(keys_app, "list", "--format", "json", "--data", str(directory)).out)
    assert (listed["sites"], listed["sources"]) == (["FR01", "FR02"], [LABORATORY])
    for wrong, words in (("urn:site:FR03:*", "urn:site:"), ("urn:site:FR01:local", "signed-in people")):
        refused = run(keys_app, "add", "--role", "site", *sites, "--source", wrong, "--data", str(directory))
        assert (refused.code, words in refused.err) == (64, True)


@pytest.mark.parametrize("role", ["medical-monitor", "operator"])
def test_who_writes_nothing_has_no_sources(gateway: Gateway, role: str) -> None:
    given: dict[str, Any] = {"sources": (LABORATORY,)}
    with pytest.raises(ApiKeyError, match="writes nothing"), gateway.database.writing() as connection:
        add_key(connection, role, None, "", NOW, **given)


def test_where_a_party_speaks_for_itself_the_committees_source_is_its_own_keys(sqlite: Database) -> None:
    """Neither the sponsor's key nor a site's writes from it, though its name is one of the sponsor's."""
    from tests.gateway.test_authority import adjudication

    committee = "urn:sponsor:clb:idmc"
    protocol = replace(PROTOCOL, signatures="own", committee_sources=(committee, "urn:committee:*"))
    with gateway_on(sqlite, protocol=protocol) as gateway:
        new_key(gateway, "committee", role="sponsor", sources=(committee, "urn:committee:*"))
        new_key(gateway, "FR01", "FR01", sources=("urn:site:FR01:*", "urn:committee:*"))
        for number, source in enumerate((committee, "urn:committee:x")):
            for who in ("sponsor", "FR01"):
                assert gateway.post(adjudication(number, source=source), who=who).status_code == 403
            assert gateway.post(adjudication(number, source=source), who="committee").status_code == 202
        assert gateway.post(adjudication(8), who="committee").status_code == 403
        assert gateway.post(adjudication(9), who="sponsor").status_code == 202
