"""What counts as another rule: what the code does, not how it is written down."""

from __future__ import annotations

import pytest

from services.trials.code_hash import hash_of_code

CODE = '''"""A module."""

from projections.rules.truth import Answer, yes


class Rule:
    """A rule."""

    limit = 3

    def ask(self, grade: int) -> Answer:
        """Ask."""
        # from the third grade on
        return yes() if grade >= self.limit else Answer("no")
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""A module."""', '"""Another sentence."""'),
        ('"""A module."""\n', ""),
        ('        """Ask."""\n', ""),
        ("# from the third grade on", "# CTCAE grade 3"),
        ("        # from the third grade on\n", "\n\n"),
        ("projections.rules.truth", "projections.rules.logic.truth"),
        ('Answer("no")', "Answer(\n            'no'\n        )"),
    ],
)
def test_how_it_is_written_down_does_not_count(before: str, after: str) -> None:
    """Comments, docstrings, layout, quotes and the module of ours that a name comes from."""
    assert before in CODE
    assert hash_of_code(CODE.replace(before, after)) == hash_of_code(CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (">=", ">"),
        ("limit = 3", "limit = 4"),
        ('"no"', '"unknown"'),
        ("import Answer, yes", "import Answer, no as yes"),
        ("from projections.rules.truth", "from elsewhere.truth"),
        ("    limit = 3", '    limit = 3\n    """No docstring: a statement after the first."""'),
    ],
)
def test_what_it_does_counts(before: str, after: str) -> None:
    """A comparison, a number, a text, which name is imported, and from whose package."""
    assert before in CODE
    assert hash_of_code(CODE.replace(before, after)) != hash_of_code(CODE)


def test_a_body_of_nothing_but_its_docstring_is_read() -> None:
    """It does as much as the same without the docstring."""
    assert hash_of_code('def f():\n    """Nothing."""\n') == hash_of_code('def f():\n    """Something."""\n')
