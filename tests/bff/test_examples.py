"""What newcomers are given to paste works: the examples of the GraphiQL page, and the greeting's first operation."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest
from graphql import build_schema, parse, validate

from bff.cli.greeting import first_operation
from bff.explorer import Tab
from bff.explorer.operations import tabs
from bff.graph.sdl import print_sdl
from domain.order.pricing import local_date
from domain.order.states import SaleUnit
from domain.travel import catalogue
from domain.travel.models import Shelf
from tests.bff import documents
from tests.bff.client import Client, Json, check, guest
from tests.bff.streams import events_of
from tests.clock import FrozenClock
from tests.conftest import NOW, SHANGHAI
from tests.factories import create_homestay
from tests.fakes import FakeTravel
from workers.settings import Settings

TABS: Final = tabs(local_date(NOW, SHANGHAI))


@pytest.fixture
def travel() -> FakeTravel:
    """With the homestays that `homestay run` has."""
    return FakeTravel(
        {
            row.id: create_homestay(
                id=row.id,
                people_num=row.people_num,
                sale_unit=SaleUnit(row.row_type),
                price=row.homestay_price,
                food_price=row.food_price,
                on_shelf=row.row_state is Shelf.ON,
            )
            for row in catalogue.DEMO
            if row.id
        }
    )


def tab(title: str) -> Tab:
    (found,) = (each for each in TABS if each.title == title)
    return found


async def run(client: Client, title: str) -> Json:
    (payload,) = (await client.data(tab(title).query, tab(title).variables)).values()
    found: Json = payload
    return found


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.title)
def test_an_example_is_valid(tab: Tab) -> None:
    assert validate(build_schema(print_sdl()), parse(tab.query)) == []


async def value_of(client: Client, served: int, tab: Tab, sn: object) -> Json:
    """What a tab shows, of a subscription first."""
    variables: Json = {**(tab.variables or {})}
    if "sn" in variables:
        variables["sn"] = sn
    if tab.query.startswith("#") and "\nsubscription " in tab.query:
        async with events_of(served, tab.query, **variables) as events:
            _, answer = await anext(events)
            data = answer["data"]
    else:
        data = await client.data(tab.query, variables)
    (value,) = data.values()
    found: Json = value
    return found


async def test_the_examples_work_one_after_the_other(client: Client, served: int) -> None:
    sn = None
    for tab in TABS:
        value = await value_of(client, served, tab, sn)
        assert value, tab.title
        assert "userErrors" not in value or value["userErrors"] == [], tab.title
        if "createHomestayOrder" in tab.query:
            sn = value["order"]["sn"]
    assert sn


async def test_the_first_example_run_again_says_what_is_in_its_way(client: Client) -> None:
    order = (await run(client, "Place an order"))["order"]
    again = await run(client, "Place an order")
    assert again["order"] is None
    (refused,) = again["userErrors"]
    nights = [order["liveStartDate"], (date.fromisoformat(order["liveEndDate"]) - timedelta(days=1)).isoformat()]
    assert (refused["code"], refused["nights"]) == ("DATES_UNAVAILABLE", nights)
    await client.data(documents.CANCEL, {"sn": order["sn"]})
    assert (await run(client, "Place an order"))["userErrors"] == []


async def test_the_safe_example_run_again_gives_the_same_order(client: Client) -> None:
    first = await run(client, "Place it safely")
    assert (first["replayed"], first["userErrors"]) == (False, [])
    assert await run(client, "Place it safely") == {**first, "replayed": True}


async def test_the_examples_show_what_they_promise(client: Client, served: int) -> None:
    answers: Json = {}
    for tab in TABS:
        sn = answers["Place an order"]["order"]["sn"] if answers else None
        answers[tab.title] = await value_of(client, served, tab, sn)
    assert answers["Place an order"]["order"]["tradeState"] == "WAIT_PAY"
    placed = [answers[title]["order"]["sn"] for title in ("Place it safely", "Place an order")]
    assert [node["sn"] for node in answers["List my orders"]["nodes"]] == placed
    assert answers["One order in detail"]["orderTotalPrice"]["amount"] == "718.00"
    assert answers["Pay an order"]["payment"]["status"] == "WAIT"
    assert answers["Follow an order"]["tradeState"] == "WAIT_PAY"
    assert answers["Cancel an order"]["order"]["closeReason"] == "GUEST"
    assert answers["Ask the price"]["orderTotalPrice"]["amount"] == "718.00"
    # The order before was given up.
    assert answers["Ask the price"]["available"] is True
    assert [night["placesLeft"] for night in answers["See free nights"]] == [1] * 7


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
    # Whoever goes on to the page finds its first example's nights free.
    example = tabs(local_date(clock.at, SHANGHAI))[0]
    placed = await client.http.post(
        "/graphql", json={"query": example.query, "variables": example.variables}, headers=guest(7)
    )
    assert placed.json()["data"]["createHomestayOrder"]["userErrors"] == []
