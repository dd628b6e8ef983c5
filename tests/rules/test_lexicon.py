"""The lexicon: whole terms after normalisation, in two languages, without a contradiction."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import projections.rules.facts.lexicon
from projections.rules.facts.lexicon import Lexicon, default_lexicon, normalised
from projections.rules.logic.trial_protocol import MAJOR_ORGANS, MINOR_ORGANS

FILE = Path(projections.rules.facts.lexicon.__file__).with_name("lexicon.csv")
ROWS = list(csv.DictReader(FILE.read_text(encoding="utf-8").splitlines()))
HEADER = "term,french,organ,immune,injection_site,flu_like,analytes"
#: rules.md §3.8: the organs to adjudicate, besides "?" and none.
TO_ADJUDICATE = {"pituitary", "adrenal", "endocrine-pancreas", "eye", "muscle", "other"}


def lexicon(*rows: str) -> Lexicon:
    return Lexicon.from_csv([HEADER, *rows])


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Colitis", "colitis"),
        ("  COLITIS  ", "colitis"),
        ("Colitis.", "colitis"),
        ("Immune-mediated colitis", "immune mediated colitis"),
        ("immune_mediated / colitis", "immune mediated colitis"),
        ("Entérocolite", "enterocolite"),
        ("Ente\u0301rocolite", "enterocolite"),
        ("Œdème", "oedeme"),
        ("œdème", "oedeme"),
        ("oedème", "oedeme"),
        ("Syndrome grippal (léger)", "syndrome grippal leger"),
        ("Syndrome d\u2019activation", "syndrome d activation"),
        ("Syndrome d'activation", "syndrome d activation"),
        ("Naevus \u00e6", "naevus ae"),
        ("ﬁèvre", "fievre"),
        ("Straße", "strasse"),
        ("", ""),
        ("---", ""),
    ],
)
def test_case_accents_ligatures_and_punctuation_are_nothing(written: str, same: str) -> None:
    assert normalised(written) == same


def test_normalising_twice_is_normalising_once() -> None:
    for row in ROWS:
        for spelling in (row["term"], row["french"]):
            assert normalised(normalised(spelling)) == normalised(spelling)


@pytest.mark.parametrize("row", ROWS, ids=[row["term"] for row in ROWS])
def test_every_row_is_found_in_both_languages_and_says_what_it_says(row: dict[str, str]) -> None:
    """In any case, and it is one of the words that the rules know."""
    assert row["organ"] in MAJOR_ORGANS | MINOR_ORGANS | TO_ADJUDICATE | {"", "?"}
    assert row["immune"] in ("concept", "no")
    assert row["injection_site"] in ("yes", "ask", "no")
    assert row["flu_like"] in ("yes", "ask", "no")
    for spelling in (row["term"], row["french"]):
        if not spelling:
            continue
        for variant in (spelling, spelling.upper(), f" {spelling}. "):
            entry = default_lexicon().find(variant)
            assert entry is not None
            assert (entry.organ, entry.immune, entry.injection_site, entry.flu_like) == (
                row["organ"],
                row["immune"],
                row["injection_site"],
                row["flu_like"],
            )
            assert entry.analytes == tuple(row["analytes"].split())


@pytest.mark.parametrize("row", [row for row in ROWS if row["analytes"]], ids=lambda row: row["term"])
def test_an_analyte_has_a_direction(row: dict[str, str]) -> None:
    for analyte in row["analytes"].split():
        code, colon, direction = analyte.partition(":")
        assert code.isupper()
        assert (colon, direction in ("low", "high")) == (":", True)


def test_no_term_has_two_rows() -> None:
    """Not even two that agree."""
    terms = [normalised(row["term"]) for row in ROWS]
    assert sorted(set(terms)) == sorted(terms)


@pytest.mark.parametrize(
    "other",
    [
        "colitis,,liver,concept,no,no,",
        "Colite,,gastrointestinal,no,no,no,",
        "x,COLITIS,gastrointestinal,concept,ask,no,",
    ],
)
def test_two_rows_that_contradict_each_other_are_an_error(other: str) -> None:
    """Under the same spelling in either language."""
    with pytest.raises(ValueError, match="two things"):
        lexicon("Colitis,Colite,gastrointestinal,concept,no,no,", other)


def test_two_rows_may_share_a_translation_if_they_agree() -> None:
    assert len(lexicon("Colitis,Colite,lung,no,no,no,", "Colitis NOS,Colite,lung,no,no,no,")) == 3


@pytest.mark.parametrize(
    "row", ["a,,lung,maybe,no,no,", "a,,lung,no,perhaps,no,", "a,,lung,no,no,,", "a,,lung,,no,no,"]
)
def test_a_word_that_is_not_known_is_an_error(row: str) -> None:
    with pytest.raises(ValueError, match="lexicon"):
        lexicon(row)


@pytest.mark.parametrize(
    "term", ["Colitis severe", "Severe colitis", "Colit", "Colitiss", "No colitis", "", " ", "Colitis, Hepatitis"]
)
def test_a_term_is_looked_up_whole(term: str) -> None:
    """A part of a term says nothing about the whole."""
    assert default_lexicon().find(term) is None
    assert not default_lexicon().read(term).recognised


def test_of_several_terms_the_strongest_counts_but_for_flu_like_the_weakest() -> None:
    """An exemption is never assumed."""
    made = lexicon(
        "strong,,heart,concept,yes,yes,ALT:high",
        "weak,,skin,no,no,no,",
        "asking,,,no,ask,ask,AST:high",
    )
    reading = made.read("weak", "strong", "asking")
    assert [entry.term for entry in reading.entries] == ["strong", "weak", "asking"]
    assert [entry.term for entry in (reading.immune, reading.injection_site, reading.flu_like)] == [
        "strong",
        "strong",
        "weak",
    ]
    assert made.read("asking", "strong").flu_like.flu_like == "ask"
    assert made.read("strong", "strong").flu_like.flu_like == "yes"
    assert made.read("asking", "weak").injection_site.injection_site == "ask"


def test_the_entry_that_names_an_organ_is_found() -> None:
    """A reason cites the term that decided, not the first one."""
    reading = lexicon("weak,,skin,no,no,no,", "asking,,,no,no,no,").read("weak", "asking")
    found = {organ: reading.with_organ({organ}) for organ in ("skin", "", "heart")}
    assert {organ: entry and entry.term for organ, entry in found.items()} == {
        "skin": "weak",
        "": "asking",
        "heart": None,
    }


def test_what_one_term_says_holds_although_another_is_not_known() -> None:
    reading = lexicon("known,,heart,concept,no,no,").read("mal au coeur", "known")
    assert reading.recognised
    assert [entry.term for entry in reading.entries] == ["known"]


@pytest.mark.parametrize("ctcae", ["Endocrine disorders - Other, specify", "ENDOCRINE DISORDERS – OTHER (SPECIFY)"])
def test_other_specify_says_nothing(ctcae: str) -> None:
    """Under v4.03 hypophysitis arrives that way."""
    made = lexicon(
        "Endocrine disorders - Other, specify,,heart,concept,no,no,".replace(", ", " "), "term,,skin,no,no,no,"
    )
    assert made.find(ctcae) is not None
    assert [entry.organ for entry in made.read("term", None, ctcae).entries] == ["skin"]
