"""An order is followed: what nobody told is seen, what can't be read is read later, and who leaves leaves nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import sqlalchemy as sa

from domain.columns import table_of
from domain.database import Database
from domain.errors import DatabaseUnavailable, OrderNotFound
from domain.order import following
from domain.order.following import Following
from domain.order.models import HomestayOrder, Order
from domain.order.room import OrderRoom
from domain.order.states import TradeState
from domain.order.watches import LocalChanges
from tests.factories import create_stay

ORDERS = table_of(HomestayOrder)
GUEST = 7


@pytest.fixture
def alone(database: Database, room: OrderRoom) -> Following:
    """Nobody tells it of anything, and it looks often."""
    return Following(database, room.clock, LocalChanges(), look_every=0.05)


async def place(room: OrderRoom) -> str:
    return (await room.orders.create(GUEST, create_stay())).order.sn


async def soon(orders: AsyncIterator[Order]) -> TradeState:
    async with asyncio.timeout(10):
        return (await anext(orders)).trade_state


async def test_a_change_that_nobody_told_is_seen_a_little_later(room: OrderRoom, alone: Following) -> None:
    sn = await place(room)
    async with aclosing(alone.follow(GUEST, sn)) as orders:
        assert await soon(orders) is TradeState.WAIT_PAY
        await room.orders.cancel(GUEST, sn)
        assert await soon(orders) is TradeState.CANCELLED
        with pytest.raises(StopAsyncIteration):
            await anext(orders)


async def test_a_change_that_is_told_is_seen_at_once(room: OrderRoom, database: Database) -> None:
    changes = LocalChanges()
    patient = Following(database, room.clock, changes, look_every=3600)
    sn = await place(room)
    async with aclosing(patient.follow(GUEST, sn)) as orders:
        assert await soon(orders) is TradeState.WAIT_PAY
        await room.orders.cancel(GUEST, sn)
        changes.tell(["another", sn])
        assert await soon(orders) is TradeState.CANCELLED
    assert len(changes) == 0


async def test_what_is_told_for_nothing_is_not_passed_on(room: OrderRoom, database: Database) -> None:
    changes = LocalChanges()
    patient = Following(database, room.clock, changes, look_every=3600)
    sn = await place(room)
    async with aclosing(patient.follow(GUEST, sn)) as orders:
        await anext(orders)
        waiting = asyncio.create_task(soon(orders))
        for _ in range(5):
            changes.tell([sn])
            await asyncio.sleep(0.02)
        assert not waiting.done()
        await room.orders.cancel(GUEST, sn)
        changes.tell_all()
        assert await waiting is TradeState.CANCELLED


async def test_a_database_that_is_away_for_a_while_ends_no_stream(
    room: OrderRoom, alone: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    sn = await place(room)
    async with aclosing(alone.follow(GUEST, sn)) as orders:
        await anext(orders)
        with monkeypatch.context() as patch:
            patch.setattr(Database, "read", _away)
            waiting = asyncio.create_task(soon(orders))
            await asyncio.sleep(0.2)
        await room.orders.cancel(GUEST, sn)
        assert await waiting is TradeState.CANCELLED
    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", _away)
        with pytest.raises(DatabaseUnavailable):
            await anext(alone.follow(GUEST, sn))


async def _away(*_: object) -> None:
    raise DatabaseUnavailable("the test says so")


async def test_an_order_that_is_deleted_ends_its_stream(room: OrderRoom, database: Database, alone: Following) -> None:
    sn = await place(room)
    async with aclosing(alone.follow(GUEST, sn)) as orders:
        await anext(orders)
        await database.write(lambda connection: connection.execute(sa.update(ORDERS).values(del_state=1)))
        with pytest.raises(StopAsyncIteration):
            await soon(orders)


async def test_many_are_looked_at_together(
    room: OrderRoom, alone: Following, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_BATCH", 2)
    sn = await place(room)
    statements: list[str] = []

    def remember(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    streams = [alone.follow(GUEST, sn) for _ in range(10)]
    for stream in streams:
        await anext(stream)
    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", remember)
    await asyncio.sleep(0.3)
    looks = [statement for statement in statements if "IN (" in statement]
    assert 1 <= len(looks) <= 7
    for stream in streams:
        await stream.aclose()
    assert len(alone) == 0
    statements.clear()
    await asyncio.sleep(0.2)
    assert len(statements) <= 2


async def test_nobody_follows_what_is_not_theirs(room: OrderRoom, alone: Following) -> None:
    sn = await place(room)
    for guest, wanted in ((GUEST + 1, sn), (GUEST, "nothing"), (GUEST, sn.lower())):
        with pytest.raises(OrderNotFound):
            await anext(alone.follow(guest, wanted))
    assert len(alone) == 0
