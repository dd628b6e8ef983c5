"""Kleene's logic with reasons, as truth tables; and answers that change when nothing but time passes."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from projections.rules.logic.truth import (
    Answer,
    AnswerChange,
    EventKey,
    Truth,
    conjunction,
    disjunction,
    negation,
    no,
    unique,
    unknown,
    yes,
)

A, B, C = (EventKey("urn:site", name) for name in "abc")
NO, UNKNOWN, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


def answer(truth: Truth) -> Answer:
    return {NO: no("n", A), UNKNOWN: unknown("u", "u?", B), YES: yes("y", C)}[truth]


def test_no_is_less_than_unknown_is_less_than_yes() -> None:
    assert NO < UNKNOWN < YES
    assert [truth.word for truth in Truth] == ["no", "unknown", "yes"]


AND_TABLE = [
    (NO, NO, NO),
    (NO, UNKNOWN, NO),
    (NO, YES, NO),
    (UNKNOWN, UNKNOWN, UNKNOWN),
    (UNKNOWN, YES, UNKNOWN),
    (YES, YES, YES),
]
OR_TABLE = [
    (NO, NO, NO),
    (NO, UNKNOWN, UNKNOWN),
    (NO, YES, YES),
    (UNKNOWN, UNKNOWN, UNKNOWN),
    (UNKNOWN, YES, YES),
    (YES, YES, YES),
]


@pytest.mark.parametrize(("left", "right", "result"), AND_TABLE)
def test_and(left: Truth, right: Truth, result: Truth) -> None:
    assert conjunction([answer(left), answer(right)]).truth is result
    assert conjunction([answer(right), answer(left)]).truth is result


@pytest.mark.parametrize(("left", "right", "result"), OR_TABLE)
def test_or(left: Truth, right: Truth, result: Truth) -> None:
    assert disjunction([answer(left), answer(right)]).truth is result
    assert disjunction([answer(right), answer(left)]).truth is result


@pytest.mark.parametrize(("truth", "result"), [(NO, YES), (UNKNOWN, UNKNOWN), (YES, NO)])
def test_not_swaps_and_keeps_reason_evidence_and_question(truth: Truth, result: Truth) -> None:
    given = answer(truth)
    swapped = negation(given)
    assert swapped.truth is result
    assert (swapped.reason, swapped.evidence, swapped.question) == (given.reason, given.evidence, given.question)
    assert negation(swapped) == given


@pytest.mark.parametrize("truths", list(product(Truth, repeat=3)), ids=lambda truths: " ".join(t.word for t in truths))
def test_the_laws_of_de_morgan_and_of_order_hold_for_three(truths: tuple[Truth, ...]) -> None:
    given = [answer(truth) for truth in truths]
    assert negation(conjunction(given)).truth is disjunction(map(negation, given)).truth
    for order in permutations(given):
        assert conjunction(order).truth is min(truths)
        assert disjunction(order).truth is max(truths)


def test_only_the_deciding_answers_are_cited() -> None:
    """Of an "and" the weakest, of an "or" the strongest; all where all agree."""
    assert conjunction([yes("y", A), no("n", B), unknown("u", "u?", C)]) == no("n", B)
    assert disjunction([yes("y", A), no("n", B), unknown("u", "u?", C)]) == yes("y", A)
    both = conjunction([yes("one", A), yes("two", B)])
    assert (both.reason, both.evidence) == ("one; two", (A, B))


def test_what_several_say_alike_is_said_once() -> None:
    merged = disjunction([unknown("u", "u?", A), unknown("u", "u?", A, B), unknown("v", "v?", B)])
    assert (merged.reason, merged.question, merged.evidence) == ("u; v", "u? v?", (A, B))


def test_an_answer_without_a_question_asks_none() -> None:
    assert conjunction([yes("one", A), yes("two", B)]).question is None


@pytest.mark.parametrize(
    ("instant", "reason"), [(0, "now"), (9, "now"), (10, "ten"), (19, "ten"), (20, "twenty"), (10**9, "twenty")]
)
def test_an_answer_changes_at_its_instants_themselves_included(instant: int, reason: str) -> None:
    changing = Answer(NO, "now", changes=(AnswerChange(10, unknown("ten", "?")), AnswerChange(20, yes("twenty"))))
    assert changing.at(instant).reason == reason


def test_items_keep_their_first_order_each_once() -> None:
    assert unique("banana") == ["b", "a", "n"]
