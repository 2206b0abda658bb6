"""How the databases would walk through orders that wait for their money: along the index, with nothing left to sort."""

from datetime import datetime, timedelta
from typing import Final

import pytest
import sqlalchemy as sa

from domain.columns import utc_now
from domain.database import Database
from domain.order.reconcile_repository import waiting_statement
from domain.order.states import TradeState
from tests.conftest import NOW
from tests.order.rows import add_rows, create_row
from tests.plans import plan

DUE: Final = "ix_homestay_order_due"
ORDERS: Final = 5_000
# As many as can be open at a time: most orders are long past.
STATES: Final = [*TradeState, *[TradeState.USED] * 14]


@pytest.fixture
async def full(database: Database) -> Database:
    rows = (
        create_row(trade_state=STATES[number % len(STATES)], close_at=NOW - timedelta(minutes=number))
        for number in range(ORDERS)
    )
    await add_rows(database, rows)
    refresh = "analyze" if database.engine.dialect.name == "sqlite" else "analyze table homestay_order"
    await database.write(lambda connection: connection.execute(sa.text(refresh)))
    return database


@pytest.mark.parametrize("after", [None, (NOW - timedelta(minutes=30), 30)])
async def test_the_walk_goes_along_the_index(full: Database, after: tuple[datetime, int] | None) -> None:
    for state in (TradeState.WAIT_PAY, TradeState.CANCELLED):
        statement = waiting_statement(
            state, after, since=utc_now(timedelta(hours=1)), until=utc_now(timedelta(minutes=1)), limit=100
        )
        assert await plan(full, statement) == ({DUE}, "")
