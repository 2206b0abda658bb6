"""Many want the same nights at once: each is sold once, whole stays or none, and what is given up can be had again."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest

from domain.database import Database
from domain.errors import DatesUnavailable
from domain.order import nights
from domain.order.nights import is_free
from domain.order.placing_repository import Arrivals
from domain.order.pricing import Stay
from domain.order.room import OrderRoom
from domain.order.service import Orders
from domain.order.states import SaleUnit, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW
from tests.factories import SOON, create_homestay, create_stay
from tests.fakes import FakeTravel
from tests.order.rows import GUEST, ORDERS, add_order, stored
from tests.order.tills import NIGHTS, holders, mistakes, open_tills, tries

__all__ = ["tries"]

CLIENTS: Final = 8
ATTEMPTS: Final = 300
WAIT_PAY, WAIT_USE, REFUNDED = TradeState.WAIT_PAY, TradeState.WAIT_USE, TradeState.REFUNDED


@pytest.fixture
async def tills(database: Database, clock: FrozenClock, travel: FakeTravel) -> AsyncIterator[list[OrderRoom]]:
    async with open_tills(database, clock, travel, CLIENTS) as tills:
        yield tills


def any_stay(chance: random.Random, *, most_nights: int = 5, range_of: int = 60, guests: int = 2) -> Stay:
    length = chance.randint(1, most_nights)
    start = SOON + timedelta(days=chance.randint(0, range_of - length))
    return create_stay(start=start, nights=length, guests=guests)


async def come_and_go(till: OrderRoom, guest: int, *, seed: int) -> Counter[str]:
    """A client that keeps placing orders, and gives up, closes or refunds some of those that it got."""
    chance, mine, ends = random.Random(seed), list[str](), Counter[str]()  # noqa: S311 -- no secret
    for _ in range(ATTEMPTS):
        try:
            mine.append((await till.orders.create(guest, any_stay(chance))).order.sn)
            ends["placed"] += 1
        except DatesUnavailable:
            ends["refused"] += 1
        if len(mine) > chance.randint(0, 4):
            sn = mine.pop(chance.randrange(len(mine)))
            if chance.random() < 0.7:
                await till.orders.cancel(guest, sn)
            else:
                assert await till.transitions.move(sn, current=WAIT_PAY, to=WAIT_USE)
                assert await till.transitions.move(sn, current=WAIT_USE, to=REFUNDED)
            ends["freed"] += 1
    return ends


async def test_eight_clients_sell_sixty_nights_once_each(
    database: Database, tills: list[OrderRoom], tries: Counter[str]
) -> None:
    runs = await asyncio.gather(*(come_and_go(till, 100 + i, seed=i) for i, till in enumerate(tills)))
    ends = sum(runs, Counter[str]())
    print(f"{database.engine.dialect.name}: {dict(ends)}, {tries['again']} transactions run again")  # noqa: T201
    assert ends["placed"] + ends["refused"] == CLIENTS * ATTEMPTS == 2400
    assert min(ends["placed"], ends["refused"], ends["freed"]) > 200
    assert await mistakes(database) == []
    assert len(await stored(database, ORDERS)) == ends["placed"]
    transactions = ends["placed"] + ends["refused"] + ends["freed"]
    assert tries["again"] < transactions / 100


async def test_of_fifty_guests_who_want_one_night_of_a_room_one_gets_it(
    database: Database, tills: list[OrderRoom], tries: Counter[str]
) -> None:
    ends = await asyncio.gather(
        *(tills[guest % CLIENTS].orders.create(guest, create_stay(nights=1)) for guest in range(1, 51)),
        return_exceptions=True,
    )
    refusals = [end for end in ends if isinstance(end, DatesUnavailable)]
    assert len(refusals) == 49, ends
    assert all(list(refusal.nights) == [SOON] for refusal in refusals)
    (row,) = await stored(database, ORDERS)
    assert await holders(database) == {SOON: [row["sn"]]}
    print(f"{database.engine.dialect.name}: {tries['again']} transactions run again")  # noqa: T201


@pytest.mark.parametrize("seed", range(3))
async def test_of_forty_parties_those_get_places_who_fit_and_nobody_else_is_refused(
    database: Database, tills: list[OrderRoom], travel: FakeTravel, seed: int
) -> None:
    loft = travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    chance = random.Random(seed)  # noqa: S311
    stays = [
        create_stay(
            homestay_id=2,
            start=SOON + timedelta(days=chance.randint(0, 1)),
            nights=chance.randint(1, 2),
            guests=chance.randint(1, 3),
        )
        for _ in range(40)
    ]
    ends = await asyncio.gather(
        *(tills[i % CLIENTS].orders.create(100 + i, stay) for i, stay in enumerate(stays)), return_exceptions=True
    )
    assert {type(end).__name__ for end in ends} == {"Placed", "DatesUnavailable"}, ends
    assert await mistakes(database, capacity=6) == []
    taken = (await tills[0].orders.taken([(2, SOON, SOON + timedelta(days=4))]))[2]
    for stay, end in zip(stays, ends, strict=True):
        if isinstance(end, DatesUnavailable):
            assert not is_free(loft, stay, taken), f"{stay} was refused, and there is room for it"


async def look_then_write(till: OrderRoom, database: Database, stay: Stay) -> None:
    """The control: sees that its nights are free, and then writes its order down."""
    start, end = stay.start, stay.end
    rows = await till.database.read(lambda connection: connection.execute(ORDERS.select()))
    for row in rows.all():
        if row.live_start_date < end and start < row.live_end_date:
            return
    await add_order(database, live_start_date=start, live_end_date=end)


async def test_who_looks_and_then_writes_is_caught(database: Database, tills: list[OrderRoom]) -> None:
    chance = random.Random(1)  # noqa: S311
    for _ in range(5):
        await asyncio.gather(*(look_then_write(till, database, any_stay(chance, range_of=10)) for till in tills))
    assert any("is sold" in mistake for mistake in await mistakes(database))


async def test_what_an_order_holds_is_what_it_was_placed_for(
    database: Database, orders: Orders, travel: FakeTravel
) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    room = (await orders.create(GUEST, create_stay(nights=2))).order.sn
    places = (await orders.create(GUEST, create_stay(homestay_id=2, nights=1, guests=2))).order.sn
    second = SOON + timedelta(days=1)
    assert await holders(database) == {SOON: [room], second: [room]}
    assert await holders(database, 2) == {SOON: [places, places]}
    shown = await stored(database, NIGHTS, homestay_id=2)
    assert [(row["place"], row["whole"]) for row in shown] == [(0, False), (1, False)]
    assert await mistakes(database, capacity=6) == []


async def test_nights_are_free_again_once_their_order_is_closed_or_refunded(
    database: Database, room: OrderRoom, clock: FrozenClock
) -> None:
    stay = create_stay(nights=2)
    sn = (await room.orders.create(GUEST, stay)).order.sn
    with pytest.raises(DatesUnavailable):
        await room.orders.create(8, stay)
    await room.orders.cancel(GUEST, sn)

    sn = (await room.orders.create(8, stay)).order.sn
    clock.at = NOW + PAY_WINDOW
    await room.closing.close_if_unpaid(sn)
    assert await holders(database) == {}

    sn = (await room.orders.create(GUEST, stay)).order.sn
    assert await room.transitions.move(sn, current=WAIT_PAY, to=WAIT_USE)
    assert set(await holders(database)) == set(nights.nights(stay.start, stay.end))
    assert await room.transitions.move(sn, current=WAIT_USE, to=REFUNDED)
    assert await holders(database) == {}


@pytest.mark.parametrize("state", [TradeState.USED, TradeState.EXPIRED])
async def test_an_order_that_is_used_or_not_made_use_of_keeps_its_nights(
    database: Database, room: OrderRoom, state: TradeState
) -> None:
    sn = (await room.orders.create(GUEST, create_stay(nights=1))).order.sn
    assert await room.transitions.move(sn, current=WAIT_PAY, to=WAIT_USE)
    assert await room.transitions.move(sn, current=WAIT_USE, to=state)
    assert await holders(database) == {SOON: [sn]}


async def test_a_close_that_fails_leaves_the_nights_held(
    database: Database, room: OrderRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the test says so")

    sn = (await room.orders.create(GUEST, create_stay(nights=1))).order.sn
    for step in ("repository.add_events", "night_repository.free"):
        with monkeypatch.context() as broken:
            broken.setattr(f"domain.order.{step}", fail if step.endswith("free") else lambda *_, **__: fail())
            with pytest.raises(RuntimeError, match="the test says so"):
                await room.orders.cancel(GUEST, sn)
        assert await holders(database) == {SOON: [sn]}
        assert (await stored(database, ORDERS))[0]["trade_state"] is WAIT_PAY
    await room.orders.cancel(GUEST, sn)
    assert await holders(database) == {}


async def test_an_order_that_cant_be_written_down_holds_nothing(
    database: Database, room: OrderRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the test says so")

    monkeypatch.setattr(Arrivals, "add", fail)
    with pytest.raises(RuntimeError, match="the test says so"):
        await room.orders.create(GUEST, create_stay())
    assert await holders(database) == {}
    assert await stored(database, ORDERS) == []
