"""The printed schema keeps the public contract: it offers at least what contract.graphql says, under those names."""

from pathlib import Path
from typing import Final

import pytest

from bff.graph.sdl import print_sdl
from tests.contract.elements import Element, elements

CONTRACT: Final = elements((Path(__file__).parent / "contract.graphql").read_text(encoding="utf-8"))

# What the contract has and the schema does not offer yet. A type stands for all that is in it.
COMING: Final[frozenset[str]] = frozenset()

# What the schema says in other words than the contract.
REWORDED: Final[frozenset[str]] = frozenset()


@pytest.fixture(scope="module")
def offered() -> dict[str, Element]:
    return elements(print_sdl())


def is_coming(place: str) -> bool:
    return any(place == each or place.startswith((f"{each}.", f"{each}(")) for each in COMING)


def test_everything_of_the_contract_is_offered_in_its_form(offered: dict[str, Element]) -> None:
    forms = {
        place: (offered[place].form if place in offered else "missing", each.form)
        for place, each in CONTRACT.items()
        if not is_coming(place)
    }
    assert {place: (found, wanted) for place, (found, wanted) in forms.items() if found != wanted} == {}


def test_nothing_must_be_given_that_the_contract_does_not_ask_for(offered: dict[str, Element]) -> None:
    given = {place: each.form for place, each in offered.items() if is_given(place) and place not in CONTRACT}
    assert [place for place, form in given.items() if form.endswith("!")] == []


def is_given(place: str) -> bool:
    """Whether a client hands this in: an argument, or a field of an input that clients know."""
    owner = CONTRACT.get(place.partition(".")[0])
    return place.endswith(":)") or (owner is not None and owner.form == "input")


def test_what_is_coming_is_in_the_contract_and_not_offered_yet(offered: dict[str, Element]) -> None:
    assert sorted(COMING - set(CONTRACT)) == []
    assert sorted(COMING & set(offered)) == []


def test_descriptions_say_what_the_contract_says(offered: dict[str, Element]) -> None:
    differing = {
        place: (offered[place].description, each.description)
        for place, each in CONTRACT.items()
        if place in offered and each.description is not None and offered[place].description != each.description
    }
    assert {place: words for place, words in differing.items() if place not in REWORDED} == {}
    assert sorted(REWORDED - set(differing)) == []


def test_every_type_is_described(offered: dict[str, Element]) -> None:
    assert [each.place for each in offered.values() if "." not in each.place and not each.description] == []
