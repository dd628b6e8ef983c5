"""One word for one thing: who takes part in the trial is a *subject*."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.architecture.sources import PACKAGES, Module, modules

# A quotation keeps the words of its author: "…", “…” and `code`.
QUOTATION = re.compile(r"``.+?``|`.+?`|\"[^\"]+\"|“[^”]+”", re.DOTALL)
WORD = re.compile(r"\bpatients?\b", re.IGNORECASE)
# As a part of an identifier: patient_id, thePatient, PATIENTS; not impatient.
IN_IDENTIFIER = re.compile(r"(?:^|_)patients?(?=_|[A-Z0-9]|$)|Patients?(?=[^a-z]|$)|PATIENTS?")

# (path, identifier): names that somebody else's format gives. What is no longer used must leave.
ALLOWED: frozenset[tuple[str, str]] = frozenset()


def _identifiers(module: Module) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.NAME and IN_IDENTIFIER.search(token.string):
            yield token.string


def _prose(module: Module) -> Iterator[str]:
    """The docstrings and comments, without what they quote."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield QUOTATION.sub("", ast.get_docstring(node) or "")
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield QUOTATION.sub("", token.string)


def test_no_identifier_says_patient() -> None:
    """Save those on the list, all of which are in use."""
    assert {(module.name, name) for module in modules(*PACKAGES) for name in _identifiers(module)} == ALLOWED


@pytest.mark.parametrize("module", modules(*PACKAGES), ids=lambda module: module.name)
def test_no_docstring_or_comment_says_patient(module: Module) -> None:
    """Save in a quotation."""
    assert [text for text in _prose(module) if WORD.search(text)] == []


def test_the_word_would_be_found() -> None:
    """In any spelling, and not inside other words or quotations."""
    source = '"""The patient."""\npatient_id = thePatient = PATIENTS = impatient = inpatient = 1  # patients\n'
    module = Module("a.py", source, ast.parse(source))
    assert list(_identifiers(module)) == ["patient_id", "thePatient", "PATIENTS"]
    assert [text for text in _prose(module) if WORD.search(text)] == ["The patient.", "# patients"]
    quoting = "'''A FHIR ``Patient``, \"the patient was given\".'''\n"
    assert not any(map(WORD.search, _prose(Module("a.py", quoting, ast.parse(quoting)))))
