"""Clients at tills of their own: separate connections to one database, each placing orders for guests of its own."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final

import pytest
import sqlalchemy as sa

import domain.database
from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.order import nights
from domain.order.models import HomestayNight
from domain.order.ports import Travel
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.states import FREES, SaleUnit
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.fakes import FakePayments, FakeTimer
from tests.order.rows import ORDERS, stored

NIGHTS: Final = table_of(HomestayNight)


@asynccontextmanager
async def open_tills(
    database: Database, clock: FrozenClock, travel: Travel, count: int, *, max_unpaid: int | None = None
) -> AsyncIterator[list[OrderRoom]]:
    """As many tills as wanted at one database."""
    own = [Database(create_engine(database.engine.url)) for _ in range(count)]
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW, max_unpaid=max_unpaid)
    payments, timer = FakePayments(), FakeTimer()
    try:
        yield [assemble(each, clock, rules, travel=travel, payments=payments, timer=timer) for each in own]
    finally:
        for each in own:
            await each.close()


async def mistakes(database: Database, capacity: int = 1) -> list[str]:
    """What is wrong with the nights, by the orders alone and by what they hold; empty where nothing is.

    Args:
        database: all orders of one homestay at a time are sold alike.
        capacity: how many guests it holds where it is sold per person.
    """
    rows = {row["sn"]: row for row in await stored(database, ORDERS)}
    sold: dict[tuple[int, date], list[str]] = defaultdict(list)
    holds: dict[str, Counter[date]] = defaultdict(Counter)
    for sn, row in rows.items():
        if row["trade_state"] not in FREES:
            for night in nights.nights(row["live_start_date"], row["live_end_date"]):
                sold[row["homestay_id"], night].append(sn)
                holds[sn][night] = _wanted(row)
    found = []
    for (homestay_id, night), sns in sold.items():
        there = sum(_wanted(rows[sn]) for sn in sns)
        if there > (1 if rows[sns[0]]["row_type"] is SaleUnit.ROOM else capacity):
            found.append(f"{night} of {homestay_id} is sold {there} times: {sns}")
    held: dict[str, Counter[date]] = defaultdict(Counter)
    for row in await stored(database, NIGHTS):
        held[row["order_sn"]][row["night"]] += 1
        if row["order_sn"] not in rows:
            found.append(f"{row['night']} of {row['homestay_id']} is held by {row['order_sn']}, which does not exist")
        elif row["homestay_id"] != rows[row["order_sn"]]["homestay_id"]:
            found.append(f"{row['order_sn']} holds a night of another homestay")
    found += [f"{sn} holds {held[sn]}, not {holds[sn]}" for sn in held.keys() | holds.keys() if held[sn] != holds[sn]]
    return found


def _wanted(row: dict[str, Any]) -> int:
    return 1 if row["row_type"] is SaleUnit.ROOM else int(row["live_people_num"])


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the transactions that a database asked to run again."""
    asked: Counter[str] = Counter()
    asks = domain.database.asks_for_another_try

    def count(error: BaseException) -> bool:
        again = asks(error)
        asked["again"] += again
        return again

    monkeypatch.setattr(domain.database, "asks_for_another_try", count)
    return asked


async def holders(database: Database, homestay_id: int = 1) -> dict[date, Sequence[str]]:
    """Of each night that is taken, the orders that have places on it."""
    statement = sa.select(NIGHTS.c.night, NIGHTS.c.order_sn).where(NIGHTS.c.homestay_id == homestay_id)
    found: dict[date, list[str]] = defaultdict(list)
    for night, sn in await database.read(lambda connection: connection.execute(statement.order_by(NIGHTS.c.place))):
        found[night].append(sn)
    return dict(found)
