"""How the databases would run the statements of stays and settlements over many orders: along the index, no scan."""

from datetime import date, timedelta
from typing import Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.order.settlement_repository import earnings_statement
from domain.order.states import TradeState
from domain.order.stay_repository import ended_statement
from tests.order.rows import add_rows, create_row
from tests.plans import plan

ORDERS: Final = 5_000
LEAVING: Final = "ix_homestay_order_leaving"
TODAY: Final = date(2026, 5, 20)
# Most stays are over, and every day a few end.
STATES: Final = [*TradeState, *[TradeState.USED] * 14]


@pytest.fixture
async def full(database: Database) -> Database:
    """Two years of stays, those of half a year to come among them."""
    first = TODAY - timedelta(days=550)
    rows = (
        create_row(
            trade_state=STATES[number % len(STATES)],
            homestay_business_id=number % 100,
            live_start_date=first + timedelta(days=number * 730 // ORDERS),
            live_end_date=first + timedelta(days=number * 730 // ORDERS + 2),
        )
        for number in range(ORDERS)
    )
    await add_rows(database, rows)
    refresh = "analyze" if database.engine.dialect.name == "sqlite" else "analyze table homestay_order"
    await database.write(lambda connection: connection.execute(sa.text(refresh)))
    return database


async def test_stays_that_ended_are_found_along_their_index(full: Database) -> None:
    assert await plan(full, ended_statement(TODAY, 500)) == ({LEAVING}, "")


async def test_the_stays_of_a_month_are_found_along_their_index(full: Database) -> None:
    index, vain = await plan(full, earnings_statement(date(2026, 4, 1), date(2026, 5, 1)))
    assert index == {LEAVING}
    # Sums of groups are put together somewhere; what must not be is a walk through all orders.
    assert "ALL" not in vain
    assert "SCAN" not in vain
