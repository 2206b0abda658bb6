"""A guest's list, page by page from either end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest

from domain.database import Database
from domain.order.models import Order
from domain.order.page_repository import OrderFilter, Window
from domain.order.service import Orders
from domain.order.states import TradeState
from tests.order.rows import GUEST, ORDERS, add_order, add_rows, change, create_row, stored

WAIT_PAY, WAIT_USE, CANCELLED = TradeState.WAIT_PAY, TradeState.WAIT_USE, TradeState.CANCELLED
ALL = OrderFilter()
SOMEBODY = 8
MANY = 250


@pytest.fixture
async def ids(database: Database) -> list[int]:
    """The ids of 250 orders of one guest, between as many of another."""
    await add_rows(database, [create_row(user_id=user) for _ in range(MANY) for user in (GUEST, SOMEBODY)])
    return [row["id"] for row in await stored(database, ORDERS, user_id=GUEST)]


async def walk(orders: Orders, database: Database, *, limit: int, backwards: bool) -> AsyncIterator[list[Order]]:
    """The pages of the guest's list, while both guests go on to order."""
    edge: int | None = None
    for _ in range(MANY):
        window = Window(limit=limit, before=edge, backwards=True) if backwards else Window(limit=limit, after=edge)
        more = [create_row(user_id=user) for _ in range(3) for user in (GUEST, SOMEBODY)]
        page, _ = await asyncio.gather(orders.page(GUEST, ALL, window), add_rows(database, more))
        yield page
        if len(page) < limit or len(page) == 0:
            return
        edge = page[0].id if backwards else page[-1].id
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("limit", [7, 50, 100])
async def test_a_walk_from_the_newest_meets_every_order_once_though_others_come_in(
    orders: Orders, database: Database, ids: list[int], limit: int
) -> None:
    met: list[int] = []
    async for page in walk(orders, database, limit=limit, backwards=False):
        met += [order.id for order in page]
    assert met == sorted(met, reverse=True)
    assert len(set(met)) == len(met)
    # What came in during the first page may have been met at its head.
    assert met[-MANY:] == ids[::-1]
    assert len(met) <= MANY + 3


@pytest.mark.parametrize("limit", [50, 100])
async def test_a_walk_from_the_oldest_meets_every_order_once_though_others_come_in(
    orders: Orders, database: Database, ids: list[int], limit: int
) -> None:
    met: list[int] = []
    async for page in walk(orders, database, limit=limit, backwards=True):
        assert [order.id for order in page] == sorted((order.id for order in page), reverse=True)
        met += [order.id for order in reversed(page)]
    assert met == sorted(met)
    assert len(set(met)) == len(met)
    assert met[:MANY] == ids


async def test_a_page_lies_between_its_two_edges(orders: Orders, ids: list[int]) -> None:
    newest = ids[::-1]

    async def page(window: Window) -> list[int]:
        return [order.id for order in await orders.page(GUEST, ALL, window)]

    assert await page(Window(limit=3, after=newest[0])) == newest[1:4]
    assert await page(Window(limit=3, before=newest[5])) == newest[:3]
    assert await page(Window(limit=3, before=newest[5], backwards=True)) == newest[2:5]
    assert await page(Window(limit=3, backwards=True)) == newest[-3:]
    assert await page(Window(limit=9, after=newest[1], before=newest[4])) == newest[2:4]
    assert await page(Window(limit=9, after=newest[-1])) == []
    assert await page(Window(limit=9, before=newest[0], backwards=True)) == []


async def test_a_list_holds_the_guests_own_orders_only(orders: Orders, database: Database, ids: list[int]) -> None:
    page = await orders.page(GUEST, ALL, Window(limit=1000))
    assert [order.id for order in page] == ids[::-1]
    assert {order.user_id for order in page} == {GUEST}
    assert await orders.count(GUEST, ALL) == MANY
    assert await orders.page(9, ALL, Window(limit=1000)) == []
    assert await orders.count(9, ALL) == 0
    await change(database, page[0].sn, del_state=1)
    assert await orders.count(GUEST, ALL) == MANY - 1
    assert (await orders.page(GUEST, ALL, Window(limit=1)))[0].id == ids[-2]


@pytest.mark.parametrize(
    "states",
    [
        None,
        frozenset[TradeState](),
        frozenset({WAIT_PAY}),
        frozenset({CANCELLED, WAIT_USE}),
        frozenset(TradeState),
    ],
)
async def test_a_list_holds_the_states_that_are_wanted(
    orders: Orders, database: Database, states: frozenset[TradeState] | None
) -> None:
    kept = [await add_order(database, trade_state=state) for state in (*TradeState, *TradeState)]
    wanted = OrderFilter(states=states)
    expected = [order for order in reversed(kept) if states is None or order.trade_state in states]
    assert await orders.page(GUEST, wanted, Window(limit=100)) == expected
    assert await orders.page(GUEST, wanted, Window(limit=2)) == expected[:2]
    assert await orders.count(GUEST, wanted) == len(expected)


async def test_a_list_holds_the_arrivals_that_are_wanted(orders: Orders, database: Database) -> None:
    first, second, third = (date(2026, 6, day) for day in (1, 2, 3))
    kept = [await add_order(database, live_start_date=day) for day in (third, first, second)]
    for wanted, expected in (
        (OrderFilter(start_from=second), [kept[2], kept[0]]),
        (OrderFilter(start_to=second), [kept[2], kept[1]]),
        (OrderFilter(start_from=second, start_to=second), [kept[2]]),
        (OrderFilter(start_from=third, start_to=first), []),
        (OrderFilter(states=frozenset({WAIT_USE}), start_from=first), []),
    ):
        assert await orders.page(GUEST, wanted, Window(limit=10)) == expected
        assert await orders.count(GUEST, wanted) == len(expected)
