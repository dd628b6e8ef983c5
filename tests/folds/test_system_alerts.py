"""What alerts say that are no subject's finding: a level on hold, refused severe input, a subject that is not watched."""

from __future__ import annotations

import pytest

from events.alert import AlertData
from events.dates import parse_instant
from events.identity import derived_id
from projections.folds.alert_transition import AlertState, AlertTransition, state_after
from projections.folds.cohort_board import CohortBoard, CohortKey, CohortMembership, MembershipStatus
from projections.folds.system_alerts import (
    hold_transition,
    intake_case,
    intake_reasons,
    level_of_case,
    rung,
    site_of_case,
    system_transition,
    unwatched_transition,
)
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.truth import EventKey

CAUSE = EventKey("urn:site:FR01:edc", "E-1")
AT = parse_instant("2017-03-01T00:00:00Z")
BAD_FIELD = "refused as bad-field"
LEVEL_1, UNASSIGNED = CohortKey("A", 1), CohortKey("A", None)


def hold(
    key: CohortKey, with_dlt: list[str], without: list[str], before: AlertState | None = None
) -> AlertTransition | None:
    """The alert of a cohort of these subjects."""
    board = CohortBoard(PROTOCOL)
    for subject in [*with_dlt, *without]:
        board.update(subject, CohortMembership(key, MembershipStatus.EVALUABLE, subject in with_dlt, None))
    row = board.row(key)
    assert row is not None
    return hold_transition(row, with_dlt, before, PROTOCOL, CAUSE, AT)


def told(transition: AlertTransition | None) -> tuple[str, AlertData]:
    assert transition is not None
    return transition.kind, transition.data


@pytest.mark.parametrize(
    ("key", "case", "reason"),
    [
        (
            LEVEL_1,
            "cohort:A/1",
            "2 of 3 subjects treated at dose level 1, part A, have a dose-limiting toxicity: FR01-001, FR01-002",
        ),
        (
            UNASSIGNED,
            "cohort:A/unassigned",
            (
                "2 of 3 subjects treated without a dose level on record, part A, have a dose-limiting toxicity: "
                "FR01-001, FR01-002"
            ),
        ),
    ],
)
def test_two_subjects_with_a_dlt_put_their_level_on_hold(key: CohortKey, case: str, reason: str) -> None:
    """At once, urgently, with the subjects that count, in order; also where no level is on record."""
    kind, data = told(hold(key, ["FR01-002", "FR01-001"], ["FR01-003"]))
    assert (kind, data.case, data.reasons) == ("raised", case, [reason])
    assert (data.verdict, data.urgency, data.clauses) == (None, "urgent", {"COHORT-HOLD": "met"})
    assert (data.dose_level, data.population, data.counts_as_dlt) == (key.dose_level, None, False)
    assert data.questions == ["Hold the level: no further subject is to be treated there until the sponsor decides."]
    assert data.alert_id == derived_id(PROTOCOL.trial, case)
    assert (data.revision, data.count, data.out_of, data.news, data.changes) == (1, 2, 3, True, [])


def test_one_subject_with_a_dlt_holds_nothing() -> None:
    assert hold(LEVEL_1, ["FR01-001"], ["FR01-002"]) is None


def test_a_hold_is_told_anew_when_one_more_has_a_dlt_and_quietly_when_one_fewer() -> None:
    """That one more was treated there is shown and wakes nobody; the same again is nothing new."""
    raised = hold(LEVEL_1, ["a1", "a2"], [])
    assert raised is not None
    before = state_after(raised)
    assert hold(LEVEL_1, ["a1", "a2"], [], before) is None
    kind, more = told(hold(LEVEL_1, ["a1", "a2", "a3"], [], before))
    assert (kind, more.revision, more.telling, more.news) == ("revised", 2, "news", True)
    assert [(change.what, change.before, change.after) for change in more.changes] == [("number", "2", "3")]
    kind, treated = told(hold(LEVEL_1, ["a1", "a2"], ["a3"], before))
    assert (kind, treated.telling, treated.news) == ("revised", "silent", False)
    three = state_after(AlertTransition("revised", "E-2", None, more))
    kind, fewer = told(hold(LEVEL_1, ["a1", "a2"], ["a3"], three))
    assert (kind, fewer.revision, fewer.telling, fewer.news) == ("revised", 3, "quiet", False)


def test_a_hold_that_is_over_is_withdrawn_and_says_what_it_was() -> None:
    """And raised again, with the next revision, when the second is one once more."""
    raised = hold(LEVEL_1, ["a1", "a2"], [])
    assert raised is not None
    withdrawn = hold(LEVEL_1, ["a1"], ["a2"], state_after(raised))
    kind, data = told(withdrawn)
    assert (kind, data.revision, data.clauses, data.questions, data.news) == ("withdrawn", 2, {}, [], False)
    assert data.reasons == ["the cause is gone"]
    (change,) = data.changes
    assert (change.what, change.before) == ("the cause is gone", raised.data.reasons[0])
    assert withdrawn is not None
    kind, again = told(hold(LEVEL_1, ["a1", "a2"], [], state_after(withdrawn)))
    assert (kind, again.revision, again.news, again.changes) == ("raised", 3, True, [])
    assert hold(LEVEL_1, ["a1"], ["a2"], state_after(withdrawn)) is None


def test_other_words_are_a_revision_that_shows_both() -> None:
    """Where nothing is counted; what is told is as it was asked for."""
    raised = system_transition(PROTOCOL, "drift:clock", None, ["one", "two"], CAUSE, AT)
    assert raised is not None
    revised = system_transition(PROTOCOL, "drift:clock", state_after(raised), ["one"], CAUSE, AT, telling="quiet")
    kind, data = told(revised)
    assert (kind, data.telling) == ("revised", "quiet")
    assert [(change.what, change.before, change.after) for change in data.changes] == [("reason", "one; two", "one")]


def test_a_subject_that_is_not_watched_is_told_until_it_is() -> None:
    raised = unwatched_transition(PROTOCOL, "FR01-001", None, CAUSE, AT, is_parked=True)
    kind, data = told(raised)
    assert (kind, data.case) == ("raised", "unwatched:FR01-001")
    assert data.reasons == [
        "FR01-001 is not being watched: an event of this subject could not be judged; its events are parked"
    ]
    assert data.questions == ["Judge the subject by hand until its parked events are replayed."]
    assert raised is not None
    after = unwatched_transition(PROTOCOL, "FR01-001", state_after(raised), CAUSE, AT, is_parked=False)
    assert told(after)[0] == "withdrawn"
    assert unwatched_transition(PROTOCOL, "FR01-001", None, CAUSE, AT, is_parked=False) is None


@pytest.mark.parametrize(
    ("count", "told_at"),
    [(1, 1), (9, 9), (10, 10), (11, 10), (19, 10), (20, 20), (49, 20), (50, 50), (99, 50), (100, 100), (199, 100),
     (200, 200), (499, 200), (500, 500), (999, 500), (1000, 1000), (2000, 2000), (123_456, 100_000)],
)  # fmt: skip
def test_people_are_told_every_number_to_ten_and_then_at_the_steps(count: int, told_at: int) -> None:
    assert rung(count) == told_at


@pytest.mark.parametrize(
    ("site", "reason", "count", "said"),
    [
        ("FR01", "bad-field", 1, ["1 refused event from site FR01 says grade 3 or more, serious or fatal", BAD_FIELD]),
        ("FR01", "bad-field", 2, ["2 refused events from site FR01 say grade 3 or more, serious or fatal", BAD_FIELD]),
        (
            None,
            "bad-field",
            1,
            ["1 refused event from a sender of no single site says grade 3 or more, serious or fatal", BAD_FIELD],
        ),
        (
            "FR01",
            "lower-revision",
            1,
            [
                "1 event from site FR01 says more than what is in effect, and is not used: of a lower revision",
                "a higher revision settles it, or a person who deletes the letter",
            ],
        ),
        (
            "FR01",
            "lower-revision",
            2,
            [
                "2 events from site FR01 say more than what is in effect, and are not used: of a lower revision",
                "a higher revision settles it, or a person who deletes the letter",
            ],
        ),
        (
            "FR01",
            "unreadable",
            1,
            [
                "1 input from site FR01 could not be read or taken: what it says is known to nobody, and may be severe",
                "refused as unreadable",
            ],
        ),
        (
            "FR01",
            "unreadable",
            3,
            [
                "3 inputs from site FR01 could not be read or taken: what they say is known to nobody, and may be severe",
                "refused as unreadable",
            ],
        ),
    ],
)  # fmt: skip
def test_refused_severe_input_is_told_with_its_number_its_reason_and_examples(
    site: str | None, reason: str, count: int, said: list[str]
) -> None:
    assert intake_reasons(intake_case(site, reason), count, ["a", "b"]) == [*said, "among them: a; b"]


def test_a_case_names_the_site_or_the_level_that_it_is_about() -> None:
    assert site_of_case(intake_case("FR01", "bad-field")) == "FR01"
    assert site_of_case(intake_case(None, "bad-field")) is None
    assert site_of_case("cohort:A/1") is None
    assert level_of_case("cohort:A/1") == ("A", "1")
    assert level_of_case(UNASSIGNED.case) == ("A", "unassigned")
    assert level_of_case("intake:FR01/bad-field") is None
