"""Another protocol, declared in one module, judges with its own words, days, drugs and organs; nothing knows ISI-JX."""

from __future__ import annotations

import pytest

from tests.files import command_line
from tests.files.writing import FR01, Json
from tests.protocols import second_protocol
from tests.protocols.study import AS_OF, SECOND, TIME, ae, assess, board, clauses, site, treated

SEVERE = {"TOX-SEVERE": "met"}


def test_it_is_found_by_its_path_and_by_its_module() -> None:
    """Both give the same."""
    events = [*treated(), ae()]
    by_path, by_module = (assess(events, named) for named in (SECOND, "tests.protocols.second_protocol"))
    assert by_path.code == 0
    assert by_path.json == by_module.json
    assert (by_path.json["protocol"], by_path.json["protocol_version"]) == ("made-up-2", "4.1")
    assert by_path.json["cases"][0]["clauses"] == SEVERE


def test_its_own_subjects_trial_and_drugs_are_taken_and_those_of_isi_jx_refused() -> None:
    """And the other way round."""
    isi_jx = [*FR01.treated(), FR01.ae()]
    assert [row["error"].split(":")[0] for row in assess(isi_jx).json["refused"]] == ["trial"] * 3
    assert assess(isi_jx).json["events"] == 0
    as_isi_jx = command_line.assess([*treated(), ae()], as_of=AS_OF)
    assert len(as_isi_jx.json["refused"]) == 3


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            site().dosed(data={"drug": "pexa-vec"}),
            "data.drug: 'pexa-vec' is not a drug of this protocol; use alfa, beta or",
        ),
        (site().dosed(data={"drug": "ipilimumab"}), "'ipilimumab' is not a drug of this protocol"),
        (ae(causality={"investigator": {"pexa-vec": "related"}}), "'pexa-vec' is not a study drug of this trial"),
        (ae(action_taken={"ipilimumab": "none"}), "'ipilimumab' is not a study drug of this trial"),
        ({**ae(), "subject": "FR01-001", "site": "FR01"}, "is not a subject id of this trial"),
        ({**ae(), "site": "IN002"}, "'IN002' is not the site that the subject id names (IN001)"),
        ({**ae(), "trial": "NCT02977156"}, "events of CTRI-2024-001 are taken here"),
    ],
)
def test_what_is_of_isi_jx_is_foreign_here(event: Json, told: str) -> None:
    outcome = assess([*treated(), event])
    assert outcome.code == 2
    (refusal,) = outcome.json["refused"]
    assert told in refusal["error"]


@pytest.mark.parametrize("drug", second_protocol.PROTOCOL.drugs)
def test_each_of_three_drugs_must_be_answered_for(drug: str) -> None:
    """Two answers of three are not enough; any one yes is."""
    others = {other: "unrelated" for other in second_protocol.PROTOCOL.drugs if other != drug}
    for answer, expected in ((None, "possible"), ("related", "met"), ("unrelated", None)):
        found = clauses([*treated(), ae(causality={"investigator": {**others, drug: answer}})])
        assert found.get("TOX-SEVERE") == expected


@pytest.mark.parametrize(
    ("onset", "met"),
    [
        ("2024-05-09", False),
        ("2024-05-10", True),
        ("2024-05-30", True),
        ("2024-05-31", False),
        ("2024-05-30T23:59:59+05:30", True),
        ("2024-05-31T00:00:00+05:30", False),
        ("2024-05-30T18:29:59Z", True),
        ("2024-05-30T18:30:00Z", False),
        ("2024-05-09T18:29:59Z", False),
        ("2024-05-09T18:30:00Z", True),
    ],
)
def test_its_window_is_21_days_of_its_own_time_zone(onset: str, met: bool) -> None:
    """From midnight to midnight in Kolkata, which is 18:30 UTC."""
    assert clauses([*treated(), ae(onset=onset, end=..., outcome="recovered")]).get("TOX-SEVERE") == (
        "met" if met else None
    )


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"onset": "2024-05-15", "end": "2024-05-17"}, None),
        ({"onset": "2024-05-15", "end": "2024-05-18"}, "possible"),
        ({"onset": "2024-05-15", "end": "2024-05-19"}, "met"),
        ({"onset": "2024-05-15T08:00:00+05:30", "end": "2024-05-18T08:00:00+05:30"}, None),
        ({"onset": "2024-05-15T08:00:00+05:30", "end": "2024-05-18T08:00:01+05:30"}, "met"),
    ],
)
def test_its_limit_is_3_days_at_grade_2(dates: dict[str, str], expected: str | None) -> None:
    assert clauses([*treated(), ae(grade=2, **dates)]).get("TOX-LASTING") == expected


def test_time_alone_makes_it_last_after_three_days() -> None:
    event = ae(grade=2, onset="2024-06-19T06:00:00Z", end=..., ongoing=True)
    dose = site().dosed("2024-06-10", data={"revision": 2}, time="2024-06-18T00:00:00Z")
    events = [*treated(), dose, event]
    (case,) = assess(events, as_of="2024-06-21T00:00:00Z").json["cases"]
    assert (case["verdict"], case["due"]) == ("watch", "2024-06-22T06:00:00Z")
    assert clauses(events, as_of="2024-06-22T06:00:00Z") == {"TOX-LASTING": "met"}


@pytest.mark.parametrize(
    ("organs", "expected"), [(["skin"], "met"), (["eye"], "met"), (["liver"], None), (["heart"], "possible")]
)
def test_its_major_organs_are_its_own(organs: list[str], expected: str | None) -> None:
    """Under ISI-JX the skin is minor and the liver major."""
    found = clauses([*treated(), ae(grade=2, immune_related=True, organs=organs)])
    assert found.get("TOX-IMMUNE") == expected


@pytest.mark.parametrize(("source", "met"), [("urn:board:india", True), ("urn:sponsor:clb", False)])
def test_its_board_signs_from_its_own_sources(source: str, met: bool) -> None:
    """The sponsor of ISI-JX is nobody here: the ruling stays without a valid signature."""
    events = [*treated(), ae(grade=1), board("dlt", source)]
    assert clauses(events) == {"TOX-BOARD": "met" if met else "possible"}


def test_its_board_overrules() -> None:
    (case,) = assess([*treated(), ae(), board("not-dlt")]).json["cases"]
    assert (case["overruled"], case["counts_as_dlt"], case["clauses"]) == (True, False, SEVERE)


def test_an_unexplained_stop_is_of_its_own_gravest_clause() -> None:
    """rules.md §3.10 names DLT-1; here it is the clause that asks for the highest grade."""
    stop = site().discontinued("2024-05-20", "adverse-event", "treatment", time=TIME)
    assert clauses([*treated(), stop]) == {"TOX-SEVERE": "possible"}


def test_a_life_threatening_event_may_reach_its_gravest_clause() -> None:
    """Reported at grade 2 and as life-threatening, it cannot be certain that grade 3 was never reached."""
    event = ae(grade=2, seriousness=["life-threatening"])
    assert clauses([*treated(), event]) == {"TOX-SEVERE": "possible"}


def test_its_cohorts_count_by_its_own_clauses_and_window() -> None:
    """Level 1: observed on day 22 and on day 21; level 2: two DLTs."""
    subjects = ["IN001.A01", "IN001.A02", "IN001.B01", "IN001.B02"]
    visits = [site(subjects[0]).visit("2024-05-31", time=TIME), site(subjects[1]).visit("2024-05-30", time=TIME)]
    events = [
        *(event for subject in subjects for event in treated(subject, 2 if ".B" in subject else 1)),
        *visits,
        ae(subjects[2]),
        ae(subjects[3], grade=2, onset="2024-05-15", end="2024-05-20"),
    ]
    first, second = assess(events).json["cohorts"]
    assert (first["evaluable"], first["pending"], first["dlts"]) == (1, 1, 0)
    assert first["pending_reasons"] == {subjects[1]: "no data since day 21"}
    assert (second["evaluable"], second["dlts"], second["hold"], second["decision"]) == (2, 2, True, "stop")


def test_an_open_clause_of_its_own_keeps_a_subject_pending() -> None:
    events = [*treated(), site().visit("2024-06-05", time=TIME), ae(causality=...)]
    (row,) = assess(events).json["cohorts"]
    assert row["pending_reasons"] == {"IN001.A01": "ae:AE-1 is open: TOX-SEVERE possible"}


def test_it_is_explained_in_its_own_words() -> None:
    outcome = command_line.explain(
        [*treated(), ae()], "ae:AE-1", "--protocol", SECOND, subject="IN001.A01", as_of=AS_OF
    )
    assert outcome.code == 0
    assert "MADE-UP-2: three drugs, dose finding" in outcome.words
    for clause in second_protocol.PROTOCOL.clauses:
        assert f'"{clause.wording}"' in outcome.words
    assert "TOX-SEVERE: met" in outcome.words
    assert "2024-05-15, day 6 of 21" in outcome.words
    assert "lasting more than 3 days" in outcome.words


def everything() -> list[Json]:
    """Every kind of case and question."""
    other = "IN001.A02"
    return [
        *treated(),
        ae(),
        ae(ae_id="AE-2", grade=2, seriousness=["life-threatening"], causality=...),
        ae(ae_id="AE-3", grade=..., onset=...),
        ae(ae_id="AE-4", grade=2, end=..., ongoing=True, outcome="recovered", continues="AE-0"),
        board("dlt"),
        *treated(other),
        ae(other, immune_related=None, organs=None, term="Colitis"),
        site(other).discontinued("2024-05-20", "death", last_contact="2024-05-19", time=TIME),
    ]


@pytest.mark.parametrize("word", ["ISI", "DLT-", "FR0", "NCT", "pexa", "ipilimumab", "Paris", "35"])
def test_no_word_of_isi_jx_is_in_its_output(word: str) -> None:
    """In the JSON, in the table, or in an explanation."""
    said = assess(everything()).out
    for case in ("ae:AE-1", "ae:AE-2", "ae:AE-3", "ae:AE-4"):
        told = command_line.explain(everything(), case, "--protocol", SECOND, subject="IN001.A01", as_of=AS_OF)
        assert told.code == 0, told.err
        said += told.out
    assert "TOX-" in said
    assert word not in said


def test_two_protocols_do_not_disturb_each_other() -> None:
    """One after the other in one process, in either order."""
    isi_jx = [*FR01.treated(), FR01.ae()]
    first, second = command_line.assess(isi_jx).json, assess([*treated(), ae()]).json
    assert assess([*treated(), ae()]).json == second
    assert command_line.assess(isi_jx).json == first
