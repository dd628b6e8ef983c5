"""The picture of the house is of this house, and no room leads back to itself."""

from __future__ import annotations

from tests.architecture.house import PAGE, arrows, circle, drawn, page


def test_the_picture_shows_the_imports_of_today() -> None:
    """``make house`` would change nothing."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_no_room_leads_back_to_itself() -> None:
    """Whatever the way: whoever reads downwards never comes by twice."""
    assert circle(arrows()) == []


def test_a_circle_would_be_found() -> None:
    """Also one of three rooms, with another room on the way to it."""
    around = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("d"), "d": frozenset("b")}
    assert circle(around) == ["b", "c", "d"]


def test_an_arrow_that_others_imply_is_not_drawn() -> None:
    """Of a → b → c and a → c, the last says nothing new."""
    lines = drawn({"a": frozenset("bc"), "b": frozenset("c")}).splitlines()
    assert [line.strip() for line in lines if "-->" in line] == ["a --> b", "b --> c"]
