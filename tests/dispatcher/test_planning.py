"""The stages of planning, as pure functions: whatever happens on the way, the newest state reaches whoever must know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.dates import HOUR, MINUTE, format_instant
from projections.folds.alert_transition import AlertKind
from services.dispatcher.delivery import DELIVERED, WAITING, Delivery
from services.dispatcher.ledger import AlertStep
from services.dispatcher.notice import Notice
from services.dispatcher.planning import DeliveryPlan, planning_line, routine_since
from services.dispatcher.recipients import ConsoleChannelConfig, Recipient, Recipients
from services.dispatcher.routing import Directory, Route
from tests.dispatcher.alerts import VERDICTS, Urgency
from tests.dispatcher.hand_clock import START

DAY_OF_WAITING = 24 * HOUR
ANN = Recipient(name="ann", role="medical-monitor", channels=("a", "b"))
BEN = Recipient(name="ben", role="sponsor", channels=("b",), urgencies=frozenset({"urgent"}))
PEOPLE = Recipients({name: ConsoleChannelConfig(type="console") for name in "ab"}, (ANN, BEN))
ANN_A, ANN_B, BEN_B = Route("ann", "a"), Route("ann", "b"), Route("ben", "b")


def notice(kind: AlertKind, revision: int, urgency: Urgency, at: int) -> Notice:
    gone = kind == "withdrawn"
    return Notice(
        alert_id="ALERT",
        revision=revision,
        kind=kind,
        trial="NCT02977156",
        subject="FR01-001",
        case="ae:AE-1",
        verdict=None if gone else VERDICTS[urgency],
        clauses={} if gone else {"DLT-1": VERDICTS[urgency]},
        urgency=urgency,
        population="part-a",
        dose_level=1,
        detected_at=format_instant(at),
    )


@dataclass
class Story:
    """One alert, its ledger, and whether it stands."""

    now: int = START
    ledger: dict[str, Delivery] = field(default_factory=dict)
    steps: list[AlertStep] = field(default_factory=list)
    newest: Notice | None = None

    @property
    def stands(self) -> bool:
        return self.newest is not None and not self.newest.is_withdrawn

    def happens(self, kind: AlertKind, urgency: Urgency = "urgent") -> None:
        """The next revision is planned."""
        revision = len(self.steps) + 1
        self.newest = notice(kind, revision, urgency, self.now)
        self.steps.append(AlertStep(revision, kind, urgency, self.now))
        since = routine_since(self.newest, self.steps, self.now)
        draft = DeliveryPlan(f"E-{revision}", self.newest, self.now, list(self.ledger.values()), since)
        for stage in planning_line(Directory(PEOPLE), DAY_OF_WAITING, MINUTE):
            draft = stage(draft)
        for row, state in draft.ended.items():
            self.ledger[row] = self.ledger[row]._replace(state=state)
        for delivery in draft.rows(disabled=()):
            assert delivery.id not in self.ledger
            self.ledger[delivery.id] = delivery

    def sends(self, route: Route, arrives: bool) -> None:
        """One attempt at what is due on the route, if anything is."""
        for delivery in self.due(route):
            state: Literal["delivered", "waiting"] = "delivered" if arrives else "waiting"
            heard: Literal["yes", "perhaps"] = "yes" if arrives else "perhaps"
            after = delivery._replace(attempts=delivery.attempts + 1, state=state, heard=heard)
            self.ledger[delivery.id] = after

    def due(self, route: Route) -> list[Delivery]:
        found = [row for row in self.waiting(route) if row.next_attempt_at <= self.now]
        assert len(found) <= 1, "two messages about one alert for one route"
        return found

    def waiting(self, route: Route) -> list[Delivery]:
        return [row for row in self.ledger.values() if row.route == route and row.state == WAITING]

    def told(self, route: Route) -> list[str]:
        """What arrived on the route, in order: kind and revision."""
        rows = sorted((r for r in self.ledger.values() if r.route == route), key=lambda row: row.revision)
        return [f"{row.notice.kind} {row.revision}" for row in rows if row.state == DELIVERED]


def test_what_is_urgent_is_told_at_once_to_whom_it_may_concern() -> None:
    """By the filters; each over each of their channels."""
    story = Story()
    story.happens("raised", "prompt")
    assert {row.route for row in story.ledger.values()} == {ANN_A, ANN_B}
    story.happens("revised", "urgent")
    assert {row.route for row in story.ledger.values() if row.state == WAITING} == {ANN_A, ANN_B, BEN_B}
    assert all(row.not_before == START for row in story.ledger.values())


def test_a_routine_alert_waits_a_day_from_when_it_was_first_routine() -> None:
    """A revision that is routine too keeps the wait."""
    story = Story()
    story.happens("raised", "routine")
    story.now += 5 * HOUR
    story.happens("revised", "routine")
    assert [row.not_before for row in story.waiting(ANN_A)] == [START + DAY_OF_WAITING]
    assert story.due(ANN_A) == []
    story.now = START + DAY_OF_WAITING
    story.sends(ANN_A, arrives=True)
    assert story.told(ANN_A) == ["raised 2"], "what is heard first is raised"


def test_a_new_spell_begins_a_new_wait() -> None:
    """What was withdrawn and is raised again waits from then."""
    story = Story()
    story.happens("raised", "routine")
    story.happens("withdrawn", "routine")
    story.now += 5 * HOUR
    story.happens("raised", "routine")
    assert [row.not_before for row in story.waiting(ANN_A)] == [START + 5 * HOUR + DAY_OF_WAITING]


def test_a_routine_alert_that_is_settled_in_time_is_nobodys_news() -> None:
    """Neither it nor its withdrawal."""
    story = Story()
    story.happens("raised", "routine")
    story.happens("withdrawn", "routine")
    assert {row.state for row in story.ledger.values()} == {"settled"}


@pytest.mark.parametrize("urgency", ["prompt", "urgent"])
def test_a_routine_alert_that_turns_grave_is_told_at_once(urgency: Urgency) -> None:
    """The wait is over for everybody."""
    story = Story()
    story.happens("raised", "routine")
    story.now += HOUR
    story.happens("revised", urgency)
    assert [row.not_before for row in story.waiting(ANN_A)] == [START + HOUR]
    assert {row.state for row in story.ledger.values() if row.revision == 1} == {"superseded"}


def test_who_was_told_more_does_not_wait_for_a_routine_revision() -> None:
    """Whoever believes that it is met must not do so for another day."""
    story = Story()
    story.happens("raised", "urgent")
    story.sends(ANN_A, arrives=True)
    story.now += HOUR
    story.happens("revised", "routine")
    assert story.waiting(ANN_A)[0].not_before == START + HOUR
    # Nothing was tried on the other, whose wait for the urgent one is not forgotten either.
    assert story.waiting(ANN_B)[0].not_before == START


def test_a_withdrawal_goes_to_those_who_were_told_or_may_have_been() -> None:
    """An attempt whose end is not known may have arrived."""
    story = Story()
    story.happens("raised", "urgent")
    story.sends(ANN_A, arrives=True)
    story.sends(ANN_B, arrives=False)
    story.happens("withdrawn")
    assert {row.route for row in story.ledger.values() if row.state == WAITING} == {ANN_A, ANN_B}
    assert {(row.route, row.state) for row in story.ledger.values() if row.revision == 1} == {
        (ANN_A, "delivered"),
        (ANN_B, "superseded"),
        (BEN_B, "settled"),
    }


def test_who_missed_a_withdrawal_is_told_of_the_next() -> None:
    """Told in the first spell, not reached when it ended, not reached in the second: they still believe in the first."""
    story = Story()
    story.happens("raised", "urgent")
    story.sends(BEN_B, arrives=True)
    story.happens("withdrawn")
    story.happens("raised", "prompt")
    assert [row.revision for row in story.waiting(BEN_B)] == [3], "although prompt alerts are not for them"
    story.happens("withdrawn")
    story.sends(BEN_B, arrives=True)
    assert story.told(BEN_B) == ["raised 1", "withdrawn 4"]


def test_after_an_outage_there_is_one_message_and_the_wait_is_not_forgotten() -> None:
    """Five revisions, one waiting row, as old as the first."""
    story = Story()
    story.happens("raised", "urgent")
    for _ in range(4):
        story.now += HOUR
        story.happens("revised", "urgent")
    assert [(row.revision, row.not_before) for row in story.waiting(ANN_A)] == [(5, START)]


ACTIONS = st.one_of(
    st.sampled_from([("step", "urgent"), ("step", "prompt"), ("step", "routine"), ("withdraw", "urgent")]),
    st.tuples(st.just("arrives"), st.sampled_from([ANN_A, ANN_B, BEN_B])),
    st.tuples(st.just("fails"), st.sampled_from([ANN_A, ANN_B, BEN_B])),
    st.tuples(st.just("hours"), st.integers(1, 30)),
)


@given(st.lists(ACTIONS, max_size=25))
def test_in_the_end_everybody_knows_what_they_must(actions: list[tuple[str, object]]) -> None:
    """However revisions, attempts and time are shuffled, once every route works again.

    Nobody believes what no longer holds, nobody is bothered with a withdrawal of what they never may have heard of, and
    whoever the filters choose knows what stands.
    """
    story = Story()
    for action, value in actions:
        if action == "hours":
            assert isinstance(value, int)
            story.now += value * HOUR
        elif action in ("arrives", "fails"):
            assert isinstance(value, Route)
            story.sends(value, arrives=action == "arrives")
        elif action == "withdraw" and story.stands:
            story.happens("withdrawn", _urgency(story))
        elif action == "step":
            story.happens("revised" if story.stands else "raised", value)  # type: ignore[arg-type]
    story.now += 2 * DAY_OF_WAITING
    for route in (ANN_A, ANN_B, BEN_B):
        story.sends(route, arrives=True)
        assert story.waiting(route) == []
        _knows_what_they_must(story, route)


def _knows_what_they_must(story: Story, route: Route) -> None:
    told = story.told(route)
    last = (told or ["nothing"])[-1]
    assert told == [] or told[0].split()[0] != "revised" or _was_cut_off(story, route), "what is heard first is raised"
    may_have_heard = any(
        row.attempts and not row.notice.is_withdrawn for row in story.ledger.values() if row.route == route
    )
    if story.newest is None:
        assert last == "nothing"
    elif not story.stands:
        assert last.split()[0] == ("withdrawn" if may_have_heard else "nothing")
    elif route != BEN_B or story.newest.urgency == "urgent":
        assert last.split()[1] == str(story.newest.revision)
    else:
        # Prompt alerts are not for them: they know the newest, or of none that stands.
        assert last.split()[1:] == [str(story.newest.revision)] or last.split()[0] in ("withdrawn", "nothing")


def _was_cut_off(story: Story, route: Route) -> bool:
    """Whether an attempt may have arrived although nothing says so."""
    return any(row.attempts and row.state != DELIVERED for row in story.ledger.values() if row.route == route)


def _urgency(story: Story) -> Urgency:
    assert story.newest is not None
    return story.newest.urgency
