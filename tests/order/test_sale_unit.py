"""A host changes how a homestay is sold while orders are on their way: a room and a place in it have different keys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from domain.database import Database
from domain.errors import DatesUnavailable
from domain.order import night_repository
from domain.order.room import OrderRoom
from domain.order.states import SaleUnit, TradeState
from tests.clock import FrozenClock
from tests.factories import SOON, create_homestay, create_stay
from tests.fakes import FakeTravel
from tests.order.rows import ORDERS, add_rows, change, create_row, stored
from tests.order.tills import NIGHTS, open_tills

ROOM, PERSON = SaleUnit.ROOM, SaleUnit.PERSON
ONE, TWO, THREE = 1, 2, 3
# Long enough for a request that nothing keeps waiting, on a machine that is busy.
WHILE: Final = 1.0


@pytest.fixture
async def tills(database: Database, clock: FrozenClock, travel: FakeTravel) -> AsyncIterator[list[OrderRoom]]:
    async with open_tills(database, clock, travel, 3) as tills:
        yield tills


class Pause:
    """Keeps the first order that is about to take places waiting there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.over = asyncio.Event(), asyncio.Event()
        for name in ("hold", "hold_all"):
            monkeypatch.setattr(night_repository, name, self._waits(getattr(night_repository, name)))

    def _waits(self, hold: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def wait(*args: Any) -> None:
            if not self.reached.is_set():
                self.reached.set()
                await self.over.wait()
            await hold(*args)

        return wait


async def place(till: OrderRoom, travel: FakeTravel, guest: int, unit: SaleUnit) -> str | None:
    """The sn of an order for a guest's night in homestay 1, sold so from now on; None where it was refused."""
    travel.offer(create_homestay(id=1, sale_unit=unit, people_num=4))
    try:
        return (await till.orders.create(guest, create_stay(nights=1, guests=1))).order.sn
    except DatesUnavailable:
        return None


async def sold(database: Database) -> list[bool]:
    """Of each place that is taken, whether it stands for the room."""
    rows = await stored(database, NIGHTS)
    assert len(await stored(database, ORDERS, trade_state=0)) == len(rows)
    return [row["whole"] for row in rows]


@pytest.mark.parametrize(("before", "after"), [(ROOM, PERSON), (PERSON, ROOM)])
async def test_what_was_sold_before_the_change_counts_after_it(
    database: Database, tills: list[OrderRoom], travel: FakeTravel, before: SaleUnit, after: SaleUnit
) -> None:
    sn = await place(tills[0], travel, ONE, before)
    assert sn is not None
    assert await place(tills[0], travel, TWO, after) is None
    await tills[0].orders.cancel(ONE, sn)
    assert await place(tills[0], travel, TWO, after) is not None
    assert await sold(database) == [after is ROOM]


async def test_a_room_is_not_sold_beside_a_place_that_was_chosen_because_another_was_taken(
    database: Database, tills: list[OrderRoom], travel: FakeTravel, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await place(tills[0], travel, ONE, PERSON)
    assert first is not None
    pause = Pause(monkeypatch)
    # Sees the lowest place taken, and is about to take the next one.
    second = asyncio.create_task(place(tills[1], travel, TWO, PERSON))
    await pause.reached.wait()
    others = asyncio.create_task(tills[0].orders.cancel(ONE, first))
    await asyncio.wait({others}, timeout=WHILE)
    room = asyncio.create_task(place(tills[2], travel, THREE, ROOM))
    await asyncio.wait({room}, timeout=WHILE)
    pause.over.set()
    ends = await asyncio.gather(second, others, room)
    assert (ends[0] is None) is not (ends[2] is None)
    assert len(await sold(database)) == 1


async def adopt(till: OrderRoom) -> str | None:
    """As `place`, for an order of the existing system that was sold the room."""
    (row,) = rows = [create_row(live_start_date=SOON, live_end_date=SOON + timedelta(days=1), close_at=None)]
    await add_rows(till.database, rows)
    ran = await till.adoption.run()
    if ran.adopted:
        return str(row["sn"])
    assert [one.nights for one in ran.conflicts] == [(SOON,)]
    await change(till.database, row["sn"], trade_state=TradeState.CANCELLED)
    return None


@pytest.mark.parametrize("whose", ["a guest's", "the existing system's"])
async def test_whoever_was_to_take_a_room_looks_what_came_meanwhile(
    database: Database, tills: list[OrderRoom], travel: FakeTravel, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    pause = Pause(monkeypatch)
    taking = place(tills[0], travel, ONE, ROOM) if whose == "a guest's" else adopt(tills[0])
    room = asyncio.create_task(taking)
    await pause.reached.wait()

    async def come_and_go() -> None:
        first = await place(tills[1], travel, TWO, PERSON)
        assert first is not None
        assert await place(tills[1], travel, THREE, PERSON) is not None
        await tills[1].orders.cancel(TWO, first)

    others = asyncio.create_task(come_and_go())
    # On SQLite whoever writes is alone, and they wait.
    await asyncio.wait({others}, timeout=WHILE)
    pause.over.set()
    if database.engine.dialect.name == "sqlite":
        assert await room is not None
        with pytest.raises(AssertionError):
            await others
    else:
        await others
        assert await room is None
    assert len(await sold(database)) == 1


async def test_orders_that_come_and_go_while_the_unit_flips_never_share_a_room(
    database: Database, tills: list[OrderRoom], travel: FakeTravel
) -> None:
    placed = 0

    async def client(till: OrderRoom, guest: int) -> None:
        nonlocal placed
        for turn in range(40):
            sn = await place(till, travel, guest, (ROOM, PERSON)[(guest + turn // 3) % 2])
            if sn is not None:
                whole = [row["whole"] for row in await stored(till.database, NIGHTS)]
                assert not any(whole) or len(whole) == 1, whole
                placed += 1
                await till.orders.cancel(guest, sn)

    await asyncio.gather(*(client(till, guest) for guest, till in enumerate(tills, 1)))
    assert placed > 20
    assert await sold(database) == []
