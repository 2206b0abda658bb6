"""What newcomers are given to paste works: the examples of the GraphiQL page, and the greeting's first operation."""

from datetime import UTC, datetime
from typing import Final

import pytest
from graphql import build_schema, parse, validate

from bff.explorer import Tab
from bff.explorer.operations import tabs
from bff.greeting import first_operation
from bff.sdl import print_sdl
from domain.order.pricing import local_date
from tests.bff.client import Client, Json, check, guest
from tests.clock import FrozenClock
from tests.conftest import NOW, SHANGHAI
from workers.settings import Settings

TABS: Final = tabs(local_date(NOW, SHANGHAI))


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.title)
def test_an_example_is_valid(tab: Tab) -> None:
    assert validate(build_schema(print_sdl()), parse(tab.query)) == []


async def test_the_examples_work_one_after_the_other(client: Client) -> None:
    sn = None
    for tab in TABS:
        variables: Json = {**(tab.variables or {})}
        if "sn" in variables:
            variables["sn"] = sn
        (value,) = (await client.data(tab.query, variables)).values()
        assert value, tab.title
        assert value.get("userErrors", []) == [], tab.title
        if "createHomestayOrder" in tab.query:
            sn = value["order"]["sn"]
    assert sn


async def test_the_examples_show_what_they_promise(client: Client) -> None:
    answers: Json = {}
    for tab in TABS:
        variables: Json = {**(tab.variables or {})}
        if "sn" in variables:
            variables["sn"] = answers["Place an order"]["order"]["sn"]
        (answers[tab.title],) = (await client.data(tab.query, variables)).values()
    assert answers["Place an order"]["order"]["tradeState"] == "WAIT_PAY"
    assert [node["sn"] for node in answers["List my orders"]["nodes"]] == [answers["Place an order"]["order"]["sn"]]
    assert answers["One order in detail"]["orderTotalPrice"]["amount"] == "718.00"
    assert answers["Pay an order"]["payment"]["status"] == "WAIT"
    assert answers["Cancel an order"]["order"]["closeReason"] == "GUEST"
    assert answers["Ask the price"]["orderTotalPrice"]["amount"] == "718.00"


async def test_the_first_operation_of_the_greeting_places_an_order(client: Client, clock: FrozenClock) -> None:
    clock.at = datetime.now(UTC)
    # As it is pasted: without variables, and by the token beside it.
    query = first_operation(Settings(_env_file=None))
    response = await client.http.post("/graphql", json={"query": query}, headers=guest(7))
    check(response)
    payload = response.json()["data"]["createHomestayOrder"]
    assert payload["userErrors"] == []
    assert payload["order"]["tradeState"] == "WAIT_PAY"
    assert payload["order"]["orderTotalPrice"] == {"amount": "718.00", "currency": "CNY"}
