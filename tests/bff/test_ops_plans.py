"""How the databases would find what the operators' page shows: along an index, however large the tables are."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from domain.columns import table_of
from domain.database import Database
from domain.order import outlook
from domain.order.states import CloseReason, TradeState
from domain.outbox import LetterState
from domain.outbox.models import OutboxLetter
from domain.outbox.repository import counted_statement, latest_dead_statement
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.order.rows import EVENTS, ORDERS, REFUNDS, create_row
from tests.plans import plan

ROWS = 4000
LETTERS = table_of(OutboxLetter)


@pytest.fixture
async def full(database: Database) -> Database:
    """Tables in which almost everything is over."""
    states = [TradeState.WAIT_PAY, *[TradeState.USED] * 19]
    at = [NOW + timedelta(seconds=number - ROWS / 2) for number in range(ROWS)]
    orders = [
        create_row(trade_state=states[number % len(states)], close_at=moment + timedelta(minutes=10))
        for number, moment in enumerate(at)
    ]
    events = [
        {"order_sn": row["sn"], "at": moment, "to_state": TradeState.CANCELLED, "reason": CloseReason.UNPAID_TIMEOUT}
        for row, moment in zip(orders, at, strict=True)
    ]
    refunds = [
        {
            "payment_sn": f"PMT{number}",
            "order_sn": f"HSO{number}",
            "total": 1,
            "requested_at": moment,
            "refunded_at": None if number % 50 == 0 else moment,
        }
        for number, moment in enumerate(at)
    ]
    stand: dict[int, LetterState] = {0: LetterState.WAITING, 1: LetterState.DEAD}
    letters: list[dict[str, Any]] = [
        {
            "topic": "a",
            "subject": f"HSO{number}",
            "payload": {},
            "state": stand.get(number % 50, LetterState.DELIVERED),
            "created_at": moment,
            "due_at": moment,
        }
        for number, moment in enumerate(at)
    ]

    async def work(connection: Any) -> None:
        for table, many in ((ORDERS, orders), (EVENTS, events), (REFUNDS, refunds), (LETTERS, letters)):
            await connection.execute(sa.insert(table), many)

    await database.write(work)
    for table in (ORDERS, EVENTS, REFUNDS, LETTERS):
        refresh = "analyze" if database.engine.dialect.name == "sqlite" else f"analyze table {table.name}"
        await database.write(lambda connection, refresh=refresh: connection.execute(sa.text(refresh)))  # type: ignore[misc]
    return database


async def test_orders_refunds_and_letters_are_found_along_their_indexes(full: Database, clock: FrozenClock) -> None:
    for statement, index in (
        (outlook.soon_statement(clock), "ix_homestay_order_due"),
        (outlook.overdue_statement(clock), "ix_homestay_order_due"),
        (outlook.refunds_statement(outlook.SHOWN), "ix_homestay_order_refund_due"),
        (counted_statement(LetterState.WAITING), "ix_homestay_outbox_due"),
        (counted_statement(LetterState.DEAD), "ix_homestay_outbox_due"),
        (latest_dead_statement(20), "ix_homestay_outbox_due"),
    ):
        assert await plan(full, statement) == ({index}, ""), str(statement)


async def test_steps_are_read_from_the_latest_backwards_and_not_sorted(full: Database) -> None:
    index, vain = await plan(full, outlook.steps_statement())
    # Along the primary key, which SQLite calls a scan and MySQL an index that is read: the limit ends both.
    assert index in (set(), {"PRIMARY"})
    assert "sort" not in vain
    assert "TEMP B-TREE" not in vain


async def test_where_much_happened_the_page_says_how_far_it_looked_back(
    full: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = await full.read(lambda connection: outlook.look(connection, clock))
    assert (len(seen.lags), seen.at) == (outlook.LAGS, NOW)
    assert seen.lags_since > NOW - outlook.BACK
    monkeypatch.setattr(outlook, "COUNTED", 100)
    monkeypatch.setattr(outlook, "LAGS", 1000)
    few = await full.read(lambda connection: outlook.look(connection, clock))
    assert len(few.lags) == 100
    assert few.lags_since == NOW + timedelta(seconds=ROWS / 2 - 100)
    assert (sum(few.soon), few.overdue, few.refunds_due) == (60, 71, 80)
