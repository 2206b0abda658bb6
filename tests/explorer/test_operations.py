from datetime import date, timedelta

import pytest
from graphql import OperationDefinitionNode, parse

from bff.explorer import Tab
from bff.explorer.operations import tabs

TODAY = date(2028, 2, 29)


def operation(tab: Tab) -> OperationDefinitionNode:
    (definition,) = parse(tab.query).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return definition


@pytest.mark.parametrize("tab", tabs(TODAY), ids=lambda tab: tab.title)
def test_an_example_gives_every_variable_it_must(tab: Tab) -> None:
    definitions = operation(tab).variable_definitions or ()
    known = {each.variable.name.value for each in definitions}
    required = {each.variable.name.value for each in definitions if each.type.kind == "non_null_type"}
    given = set(tab.variables or {})
    assert required <= given <= known


def test_examples_have_names_of_their_own() -> None:
    names = [name.value for tab in tabs(TODAY) if (name := operation(tab).name)]
    assert len(names) == len(tabs(TODAY))
    assert len(set(names)) == len(names)


def test_the_stay_lies_ahead_and_lasts_two_nights() -> None:
    stays = [variables.get("input", variables) for tab in tabs(TODAY) if (variables := tab.variables)]
    nights = [
        (each.get("liveStartDate") or each["from"], each.get("liveEndDate") or each["to"])
        for each in stays
        if isinstance(each, dict) and "homestayId" in each
    ]
    assert nights == [("2028-04-29", "2028-05-01")] * 3 + [("2028-04-29", "2028-05-06")]


def test_each_days_example_has_a_key_of_its_own() -> None:
    keys = {
        stay["idempotencyKey"]
        for day in range(10)
        for tab in tabs(TODAY + timedelta(days=day))
        if isinstance(stay := (tab.variables or {}).get("input"), dict) and "idempotencyKey" in stay
    }
    assert len(keys) == 10
