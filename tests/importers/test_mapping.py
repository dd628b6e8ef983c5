"""Mapping files: those that come with Toxwatch, and what is wrong with others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from services.importers.mapping import BUNDLED, Mapping, MappingError, bundled_names, load_mapping


def test_the_sample_studies_have_their_mappings() -> None:
    """By name, and valid."""
    assert bundled_names() == ["cdisc-pilot", "dataset-json-example", "real-trial"]
    assert [load_mapping(name).name for name in bundled_names()] == bundled_names()


def test_without_a_mapping_the_names_are_those_of_sdtm() -> None:
    """And nothing is decided: no drug, no arm, no zone, no grade out of a severity."""
    plain = load_mapping(None)
    assert plain.ae.term == ("AETERM",)
    assert (plain.study_drugs, plain.arms, plain.time_zone, plain.codes.severity_as_grade) == ((), {}, None, {})


def test_the_example_explains_every_key() -> None:
    """A key that it lacks is one that nobody finds."""
    text = (BUNDLED / "example.toml").read_text(encoding="utf-8")

    def keys(model: type[BaseModel]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            yield name
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from keys(field.annotation)

    assert [key for key in keys(Mapping) if not any(f"{key}{end}" in text for end in (" =", "]", "."))] == []
    assert load_mapping(str(BUNDLED / "example.toml")).arms["HIGH"].dose_level == 2


def test_a_code_list_is_laid_over_the_default() -> None:
    """The study's words are added, and override; capitals and spaces do not count."""
    codes = Mapping.model_validate(
        {"codes": {"causality": {"not  suspected": "unrelated", "Probable": "certain"}}}
    ).codes
    assert codes.causality["NOT SUSPECTED"] == "unrelated"
    assert codes.causality["PROBABLE"] == "certain"
    assert codes.causality["RELATED"] == "related"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "colour: Extra inputs are not permitted"),
        ("[ae]\nonsett = 'X'", "ae.onsett"),
        ("[codes.causality]\nX = 'maybe'", "codes.causality.X"),
        ("[codes.grade]\nX = 6", "codes.grade.X"),
        ("[drugs]\nX = 'Drug A'", "drugs.X"),
        ("[drugs]\nX = 'study-treatment'", "words of the contract"),
        ("placebo = ['placebo']", "'placebo' is not a drug of"),
        ("time_zone = 'Europe/Lyon'", "'Europe/Lyon' is not an IANA time zone"),
        ("subject_pattern = '('", "not a regular expression"),
        ("source = 'urn:import'", "needs {site}"),
        ("[[ae.causality]]\ncolumn = 'AEREL'\nabout = 'drug-x'", "'drug-x' is neither a drug"),
        ("[[ae.action]]\ncolumn = 'AEACN'\nabout = 'injection-procedure'", "is neither a drug"),
        ("[arms]\nX = { part = 'C' }", "arms.X.part"),
        ("[files]\nVS = 'vs.csv'", "files.VS"),
        ("[format]\nencoding = 'latin-99'", "'latin-99' is not an encoding"),
        ("a = = 1", "Invalid value"),
    ],
)
def test_a_mapping_that_cannot_be_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    """With the file, the key and the reason, before a row is read."""
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_mapping(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "../mappings/cdisc-pilot", "nowhere/study.toml"])
def test_a_mapping_that_is_not_there_says_which_there_are(name: str) -> None:
    """A bundled name is a name, not a path."""
    with pytest.raises(MappingError, match="cdisc-pilot"):
        load_mapping(name)
