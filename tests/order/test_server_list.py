"""A guest's list over the wire."""

import pytest

from domain.database import Database
from domain.order.states import TradeState
from tests.order.calls import Caller, invalid, refused
from tests.order.rows import GUEST, ORDERS, add_order, add_rows, create_row, stored


async def test_one_state_is_asked_for_by_its_number(caller: Caller, database: Database) -> None:
    kept = [await add_order(database, trade_state=state) for state in (*TradeState, *TradeState)]
    for state in TradeState:
        await add_order(database, trade_state=state, user_id=8)
    for state in TradeState:
        wanted = [order.id for order in reversed(kept) if order.trade_state is state]
        page = await caller.page(state=state)
        assert [told.id for told in page] == wanted, state
        assert {told.tradeState for told in page} == {state}


async def test_any_state_is_asked_for_by_its_own_number(caller: Caller, database: Database) -> None:
    kept = [await add_order(database, trade_state=state) for state in TradeState]
    assert [told.id for told in await caller.page(state=-99)] == [order.id for order in reversed(kept)]


async def test_a_number_that_is_no_state_does_not_mean_all(caller: Caller, database: Database) -> None:
    await add_order(database)
    for state in (99, -5, -2, 5, 255, -100, 2**31, 2**63 - 1, -(2**63)):
        assert await refused(caller.page(state=state)) == invalid("tradeState"), state


async def test_a_page_has_between_one_and_a_hundred_orders(caller: Caller, database: Database) -> None:
    await add_rows(database, [create_row() for _ in range(120)])
    ids = [row["id"] for row in await stored(database, ORDERS)]
    for size in (1, 99, 100):
        assert [told.id for told in await caller.page(size=size)] == ids[: -size - 1 : -1]
    for size in (0, -1, 101, 2**31, 2**63 - 1, -(2**63)):
        assert await refused(caller.page(size=size)) == invalid("pageSize"), size


@pytest.mark.parametrize("size", [7, 100])
async def test_each_page_holds_the_id_that_asks_for_the_next(caller: Caller, database: Database, size: int) -> None:
    await add_rows(database, [create_row(user_id=user) for _ in range(250) for user in (GUEST, 8)])
    ids = [row["id"] for row in await stored(database, ORDERS, user_id=GUEST)]
    met: list[int] = []
    for _ in range(-(-len(ids) // size)):
        met += [told.id for told in await caller.page(size=size, last_id=met[-1] if met else 0)]
        await add_order(database)
    assert met == ids[::-1]
    assert await caller.page(size=size, last_id=met[-1]) == []


async def test_an_id_beyond_the_newest_asks_for_the_newest(caller: Caller, database: Database) -> None:
    order = await add_order(database)
    assert [told.id for told in await caller.page(last_id=2**63 - 1)] == [order.id]
    assert await caller.page(last_id=order.id) == []


async def test_a_list_needs_a_guest_and_an_edge_that_can_be(caller: Caller) -> None:
    for user_id in (0, -7):
        assert await refused(caller.page(user_id=user_id)) == invalid("userId")
    assert await refused(caller.page(last_id=-1)) == invalid("lastId")
    assert await caller.page(user_id=2**63 - 1) == []
