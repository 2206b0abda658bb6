import pytest

from domain.order.service import Orders
from domain.order.settling import Settling
from domain.order.states import TradeState
from tests.bff import documents
from tests.bff.client import ANN, Client, Json, any_database
from tests.bff.prices import PRICE
from tests.fakes import FakePayments


async def found(client: Client, wanted: Json | None) -> set[str]:
    connection = (await client.data(documents.LIST, {"filter": wanted}))["userHomestayOrderList"]
    sns = {node["sn"] for node in connection["nodes"]}
    assert connection["totalCount"] == len(sns)
    return sns


async def test_a_list_is_filtered_by_states(
    settling: Settling, client: Client, orders: Orders, payments: FakePayments
) -> None:
    open_, paid, cancelled = [order["sn"] for order in await client.place_several(3)]
    payments.pay(paid, PRICE)
    await settling.settle(paid)
    await orders.cancel(ANN, cancelled)

    assert await found(client, {"tradeState": ["WAIT_PAY"]}) == {open_}
    assert await found(client, {"tradeState": ["WAIT_USE"]}) == {paid}
    assert await found(client, {"tradeState": ["CANCELLED", "WAIT_USE", "CANCELLED"]}) == {cancelled, paid}
    assert await found(client, {"tradeState": ["USED", "REFUNDED", "EXPIRED"]}) == set()
    assert await found(client, {"tradeState": [state.name for state in TradeState]}) == {open_, paid, cancelled}


async def test_an_empty_list_of_states_matches_nothing(client: Client) -> None:
    await client.place()
    assert await found(client, {"tradeState": []}) == set()


async def test_what_is_absent_filters_nothing(client: Client) -> None:
    order = await client.place()
    absent: list[Json | None] = [None, {}, {"tradeState": None}, {"liveStartDate": None}, {"liveStartDate": {}}]
    for wanted in absent:
        assert await found(client, wanted) == {order["sn"]}, wanted


RANGES: list[tuple[Json, set[int]]] = [
    ({"from": "2026-06-10"}, {10, 20}),
    ({"from": "2026-06-11"}, {20}),
    ({"to": "2026-06-10"}, {1, 10}),
    ({"to": "2026-06-09"}, {1}),
    ({"from": "2026-06-10", "to": "2026-06-10"}, {10}),
    ({"from": "2026-06-02", "to": "2026-06-19"}, {10}),
    ({"from": "2026-06-10", "to": None}, {10, 20}),
    ({"from": "2026-06-20", "to": "2026-06-01"}, set()),
]


async def test_a_list_is_filtered_by_the_first_day_both_ends_included(client: Client) -> None:
    placed = {
        day: (await client.place(liveStartDate=f"2026-06-{day:02}", liveEndDate=f"2026-06-{day + 1:02}"))["sn"]
        for day in (1, 10, 20)
    }
    for dates, days in RANGES:
        assert await found(client, {"liveStartDate": dates}) == {placed[day] for day in days}, dates


async def test_a_filtered_list_has_pages_too(client: Client, orders: Orders) -> None:
    placed = [order["sn"] for order in await client.place_several(5)]
    for sn in placed[::2]:
        await orders.cancel(ANN, sn)
    wanted = {"tradeState": ["CANCELLED"]}
    first = (await client.data(documents.LIST, {"first": 2, "filter": wanted}))["userHomestayOrderList"]
    assert [node["sn"] for node in first["nodes"]] == [placed[4], placed[2]]
    assert first["pageInfo"]["hasNextPage"]
    after = first["pageInfo"]["endCursor"]
    second = (await client.data(documents.LIST, {"first": 2, "after": after, "filter": wanted}))[
        "userHomestayOrderList"
    ]
    assert [node["sn"] for node in second["nodes"]] == [placed[0]]
    assert not second["pageInfo"]["hasNextPage"]
    assert second["totalCount"] == 3


@any_database
@pytest.mark.parametrize("state", ["PAID", "wait_pay", "", 99, -99, 0, None], ids=str)
async def test_a_state_that_is_none_is_refused_and_never_means_all(client: Client, state: object) -> None:
    error = await client.error(documents.LIST, {"filter": {"tradeState": [state]}})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
