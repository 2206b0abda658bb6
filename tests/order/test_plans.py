"""How the databases would run the statements that grow with the tables: along an index, with nothing left to sort."""

from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa

from domain.columns import utc_now
from domain.database import Database
from domain.order.repository import OrderFilter, Window, overdue_statement, page_statement
from domain.order.states import TradeState
from tests.conftest import NOW
from tests.order.rows import GUEST, ORDERS, add_rows, create_row
from tests.plans import plan

GUESTS: Final = 250
# Few orders wait for payment: most guests pay, and the orders of the others close.
COMMON: Final = TradeState.USED
STATES: Final = [*TradeState, *[COMMON] * 14]
BY_USER: Final = "ix_homestay_order_user"
BY_USER_AND_STATE: Final = "ix_homestay_order_user_state"
DUE: Final = "ix_homestay_order_due"


@pytest.fixture
async def full(database: Database) -> Database:
    """A few thousand orders: enough that a scan would cost something."""
    rows = (
        create_row(
            user_id=number % GUESTS,
            trade_state=STATES[number // GUESTS % len(STATES)],
            close_at=NOW + timedelta(seconds=number),
        )
        for number in range(20 * GUESTS)
    )
    await add_rows(database, rows)
    refresh = "analyze" if database.engine.dialect.name == "sqlite" else "analyze table homestay_order"
    await database.write(lambda connection: connection.execute(sa.text(refresh)))
    return database


async def windows(database: Database) -> list[Window]:
    """The head of the list, and pages from its middle both ways."""
    middle = await database.read(lambda connection: connection.execute(sa.select(sa.func.avg(ORDERS.c.id))))
    edge = int(middle.scalar_one())
    return [Window(limit=20), Window(limit=20, after=edge), Window(limit=20, before=edge, backwards=True)]


async def test_a_guests_list_is_read_along_its_index(full: Database) -> None:
    for window in await windows(full):
        assert await plan(full, page_statement(GUEST, OrderFilter(), window)) == ({BY_USER}, ""), window


async def test_a_list_of_one_state_is_read_along_its_index(full: Database) -> None:
    for window in await windows(full):
        for state in TradeState:
            wanted = OrderFilter(states=frozenset({state}))
            index, vain = await plan(full, page_statement(GUEST, wanted, window))
            assert vain == "", (state, window)
            # Where most of a guest's orders are wanted, one index is as good as the other.
            assert index == {BY_USER_AND_STATE} or (index == {BY_USER} and state is COMMON), (state, window)


async def test_a_list_of_several_states_is_read_along_an_index(full: Database) -> None:
    for state in (COMMON, TradeState.WAIT_PAY):
        wanted = OrderFilter(states=frozenset({state, TradeState.WAIT_USE}))
        for window in await windows(full):
            index, vain = await plan(full, page_statement(GUEST, wanted, window))
            assert index in ({BY_USER}, {BY_USER_AND_STATE}), (state, window)
            # To sort a guest's few orders may cost less than to pass over the others.
            assert vain in {"", "filesort", "USE TEMP B-TREE FOR ORDER BY"}, (state, window)


async def test_the_overdue_are_found_along_their_index(full: Database) -> None:
    assert await plan(full, overdue_statement(utc_now(timedelta(seconds=10)), 200)) == ({DUE}, "")
