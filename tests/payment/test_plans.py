"""How the databases would run the statements that grow with the table: along an index."""

from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.payment.repository import changed_statement, of_orders_statement
from tests.conftest import NOW
from tests.payment.calls import PAYMENTS
from tests.plans import plan

ROWS: Final = 4000
CHANGED: Final = "ix_third_payment_changed"


@pytest.fixture
async def full(database: Database) -> Database:
    """A few thousand payments, several of which changed in each second."""
    rows = [
        {
            "sn": f"PMT{number}",
            "order_sn": f"HSO{number}",
            "update_time": NOW + timedelta(seconds=number // 7),
        }
        for number in range(ROWS)
    ]
    await database.write(lambda connection: connection.execute(sa.insert(PAYMENTS), rows))
    refresh = "analyze" if database.engine.dialect.name == "sqlite" else "analyze table third_payment"
    await database.write(lambda connection: connection.execute(sa.text(refresh)))
    return database


async def test_a_walk_along_changes_goes_along_its_index_and_sorts_nothing(full: Database) -> None:
    # The greater part of so small a table MariaDB would rather sort than look its rows up one by one.
    for second, limit in ((0, 50), (ROWS // 14, 500), (ROWS // 7 - 2, 500)):
        statement = changed_statement(NOW + timedelta(seconds=second), 5, limit)
        assert await plan(full, statement) == ({CHANGED}, ""), second


async def test_the_payments_of_many_orders_are_found_along_their_index(full: Database) -> None:
    index, vain = await plan(full, of_orders_statement([f"HSO{number}" for number in range(0, ROWS, ROWS // 200)]))
    assert index == {"ix_third_payment_order"}
    # Few as they are, they are sorted within their orders.
    assert vain in {"", "filesort"} or vain.startswith("USE TEMP B-TREE FOR")
