"""How the databases would run the statements about nights: along an index, and none reads what has long been over."""

from datetime import date, timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.order.night_repository import forsaken_statement, free_statement, homeless_statement, taken_statement
from domain.order.states import FREES, SaleUnit, TradeState
from tests.order.rows import add_rows, create_row
from tests.order.tills import NIGHTS

TODAY: Final = date(2026, 5, 20)
HOMESTAYS: Final = 50
# Most stays are long over.
DAYS: Final = [TODAY + timedelta(days=30 * number) for number in range(-50, 10)]
STATES: Final = [TradeState.USED, TradeState.CANCELLED, TradeState.USED, TradeState.EXPIRED, TradeState.REFUNDED]


@pytest.fixture
async def full(database: Database) -> Database:
    """Some thousand orders with their nights: those of years that are over, and a few to come."""
    rows = [
        create_row(
            homestay_id=homestay_id,
            live_start_date=day,
            live_end_date=day + timedelta(days=2),
            trade_state=TradeState.WAIT_USE if day > TODAY else STATES[(number + homestay_id) % len(STATES)],
            row_type=SaleUnit.ROOM,
        )
        for homestay_id in range(1, HOMESTAYS + 1)
        for number, day in enumerate(DAYS)
    ]
    await add_rows(database, rows)
    nights = [
        {
            "homestay_id": row["homestay_id"],
            "night": row["live_start_date"] + timedelta(days=offset),
            "place": 0,
            "whole": True,
            "order_sn": row["sn"],
        }
        for row in rows
        if row["trade_state"] not in FREES
        for offset in range(2)
    ]
    await database.write(lambda connection: connection.execute(sa.insert(NIGHTS), nights))
    sqlite = database.engine.dialect.name == "sqlite"
    for refresh in ["analyze"] if sqlite else ["analyze table homestay_order", "analyze table homestay_night"]:
        statement = sa.text(refresh)
        await database.write(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]
    return database


async def steps(database: Database, statement: sa.Select[Any] | sa.Delete) -> list[tuple[str, str, int]]:
    """Of each table that the database would look into: its name, the index that it would use, and about how many rows.

    SQLite does not say how many rows; a step that would read all of a table, or sort, is named as such.
    """
    compiled = statement.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True})
    sqlite = database.engine.dialect.name == "sqlite"
    explain = sa.text(f"explain {'query plan' if sqlite else ''} {compiled}".replace(":", r"\:"))
    rows = [row._mapping for row in await database.read(lambda connection: connection.execute(explain))]
    if not sqlite:
        for row in rows:
            assert row["type"] not in {"ALL", "index"}, rows
        return [(row["table"], row["key"], int(row["rows"])) for row in rows]
    found = []
    for row in rows:
        words = row["detail"].split()
        if words[0] == "SEARCH":
            index = next((word for word in words if word.startswith(("ix_", "sqlite_autoindex_"))), "")
            found.append((words[1], index, 0))
        else:
            # The heading of a subquery, or a sort of what the index found.
            assert words[0] != "SCAN", row["detail"]
    return found


def primary(database: Database, table: str) -> str:
    return f"sqlite_autoindex_{table}_1" if database.engine.dialect.name == "sqlite" else "PRIMARY"


async def test_what_orders_take_and_give_up_is_found_along_a_key(full: Database) -> None:
    one = (3, TODAY, TODAY + timedelta(days=90))
    ranges = [one, (4, TODAY, TODAY + timedelta(days=30)), (5, *one[1:])]
    for wanted in ([one], ranges):
        for table, index, rows in await steps(full, taken_statement(wanted)):
            assert (table, index) == ("homestay_night", primary(full, "homestay_night"))
            assert rows < 20 * len(wanted)

    sns = await full.read(lambda connection: connection.execute(sa.select(NIGHTS.c.order_sn).distinct().limit(50)))
    ((table, index, rows),) = await steps(full, free_statement(list(sns.scalars())))
    assert (table, index) == ("homestay_night", "ix_homestay_night_order")
    assert rows <= 150


async def test_adoption_looks_only_at_stays_to_come(full: Database) -> None:
    for statement in (
        homeless_statement(TODAY, 0, 100),
        homeless_statement(TODAY, HOMESTAYS * len(DAYS) // 2, 100),
        forsaken_statement(TODAY, 100),
    ):
        looked, held = await steps(full, statement)
        assert looked[:2] == ("homestay_order", "ix_homestay_order_leaving")
        assert looked[2] < len(DAYS) * HOMESTAYS / 2
        assert held[:2] == ("homestay_night", "ix_homestay_night_order")
        assert held[2] < 5
        found = await full.read(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]
        assert found.all() == []
