"""The order tables as they are stored: rows to begin with, valid unless a test says otherwise, and looks at them."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.database import Database
from domain.money import Fen
from domain.order import letters, repository
from domain.order.models import HomestayOrder, Order, OrderEvent, OrderRefund
from domain.order.settling import Settling
from domain.order.states import CloseReason, SaleUnit, TradeState
from domain.outbox.models import OutboxLetter
from tests.conftest import NOW, PAY_WINDOW

ORDERS: Final = table_of(HomestayOrder)
EVENTS: Final = table_of(OrderEvent)
REFUNDS: Final = table_of(OrderRefund)
LETTERS: Final = table_of(OutboxLetter)

GUEST: Final = 7
PRICE: Final = Fen(59_800)

Step = tuple[TradeState | None, TradeState, CloseReason | None]

_numbers = count(1)


def create_row(**named: Any) -> dict[str, Any]:
    """A row of `homestay_order`: two nights for two, placed now, waiting for its payment."""
    return {
        "sn": f"HSO20260520120000{next(_numbers):08d}",
        "user_id": GUEST,
        "homestay_id": 1,
        "homestay_business_id": 11,
        "homestay_user_id": 12,
        "title": "Courtyard House",
        "sub_title": "Two steps from the Drum Tower",
        "cover": "https://example.com/cover.jpg",
        "info": "A quiet yard.",
        "people_num": 4,
        "row_type": SaleUnit.ROOM,
        "need_food": False,
        "food_info": "Breakfast and dinner.",
        "food_price": 3000,
        "homestay_price": 29_900,
        "market_homestay_price": 39_900,
        "live_start_date": date(2026, 6, 1),
        "live_end_date": date(2026, 6, 3),
        "live_people_num": 2,
        "trade_state": TradeState.WAIT_PAY,
        "trade_code": "8CHARS00",
        "remark": "",
        "order_total_price": PRICE,
        "food_total_price": 0,
        "homestay_total_price": PRICE,
        "create_time": NOW,
        "update_time": NOW,
        "close_at": NOW + PAY_WINDOW,
        **named,
    }


async def add(connection: AsyncConnection, row: dict[str, Any]) -> int:
    """Stores an order with its first event in a transaction; returns its id."""
    order = await connection.execute(sa.insert(ORDERS), row)
    step = {"order_sn": row["sn"], "at": NOW, "to_state": row["trade_state"]}
    await connection.execute(sa.insert(EVENTS), step)
    number: int = order.lastrowid
    return number


async def add_order(database: Database, **named: Any) -> Order:
    """Stores an order with its first event, and reads it."""
    row = create_row(**named)
    await database.write(lambda connection: add(connection, row))
    order = await database.read(lambda connection: repository.find(connection, row["sn"]))
    assert order is not None
    return order


async def add_rows(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    """Stores many orders at once, without events."""
    many = list(rows)
    await database.write(lambda connection: connection.execute(sa.insert(ORDERS), many))


async def stored(database: Database, table: sa.Table, **equal: Any) -> list[dict[str, Any]]:
    """The rows of a table, oldest first, with all their columns."""
    statement = sa.select(table).filter_by(**equal).order_by(*table.primary_key)
    return [dict(row._mapping) for row in await database.read(lambda connection: connection.execute(statement))]


async def change(database: Database, sn: str, **values: Any) -> None:
    """Changes a row behind the use cases' back."""
    statement = sa.update(ORDERS).where(ORDERS.c.sn == sn).values(**values)
    await database.write(lambda connection: connection.execute(statement))


async def refunds_due(database: Database) -> list[str]:
    """The sn's of orders with money that must go back and has not."""
    return [row["order_sn"] for row in await stored(database, REFUNDS, refunded_at=None)]


async def return_late_money(database: Database, settling: Settling) -> None:
    """Does what each letter about a refund asks for, as the relay does."""
    for letter in await stored(database, LETTERS, topic=letters.REFUND):
        await settling.refund(letter["payload"]["paymentSn"])


async def steps(database: Database, sn: str) -> list[Step]:
    """An order's history, without its instants."""
    return [
        (event["from_state"], event["to_state"], event["reason"])
        for event in await stored(database, EVENTS, order_sn=sn)
    ]


def after(delta: timedelta) -> dict[str, Any]:
    """The columns of an order that falls due `delta` from now."""
    return {"close_at": NOW + delta}
