"""Orders that are placed in one turn of the loop share a transaction, and nothing else: each has its own answer."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from domain import tracing
from domain.columns import table_of
from domain.database import Database
from domain.errors import (
    DatabaseBusy,
    DatabaseUnavailable,
    DatesUnavailable,
    KeyInProgress,
    KeyReused,
    NoConnectionFree,
    RateLimited,
)
from domain.mysql_driver import Answer, GuardedConnection
from domain.order import placing_repository
from domain.order.idempotency import Key
from domain.order.models import HomestayGuest, IdempotencyKey
from domain.order.placing import Placed
from domain.order.pricing import Stay
from domain.order.room import OrderRoom
from domain.order.states import SaleUnit
from domain.together import COMMIT, NUMBERS
from tests import spans
from tests.clock import FrozenClock
from tests.factories import SOON, create_homestay, create_stay, create_stays
from tests.fakes import FakeTravel
from tests.order.rows import EVENTS, ORDERS, add_rows, create_row, stored
from tests.order.tills import NIGHTS, holders, mistakes, open_tills, tries

__all__ = ["tries"]

KEYS: Final = table_of(IdempotencyKey)
GUESTS: Final = table_of(HomestayGuest)
MOST: Final = max(NUMBERS)
LIMIT: Final = 3
# SQLite has one writer, and each order goes there by itself.
a_server = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


@pytest.fixture
async def tills(database: Database, clock: FrozenClock, travel: FakeTravel) -> AsyncIterator[list[OrderRoom]]:
    async with open_tills(database, clock, travel, 4, max_unpaid=LIMIT) as tills:
        for till in tills:
            await till.database.ping()
        yield tills


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each transaction that stores orders, how many it would store."""
    counts: list[int] = []
    add = placing_repository.Arrivals.add

    def note(self: Any, together: Any, orders: Sequence[Any]) -> Any:
        counts.append(len(orders))
        return add(self, together, orders)

    monkeypatch.setattr(placing_repository.Arrivals, "add", note)
    return counts


End = Placed | BaseException


async def at_once(till: OrderRoom, wishes: Sequence[tuple[int, Stay, str | None]]) -> list[End]:
    """What becomes of orders that are placed in one turn of the loop: all that comes before is done already."""
    offers = [await till.orders.quote(stay) for _, stay, _ in wishes]
    keys = [None if key is None else Key.of(guest, key, "create", asdict(stay)) for guest, stay, key in wishes]
    places = [
        till.orders._placing.place(guest, offer, key)
        for (guest, _, _), offer, key in zip(wishes, offers, keys, strict=True)
    ]
    return await asyncio.gather(*places, return_exceptions=True)


def placed(ends: Sequence[End]) -> list[Placed]:
    wrong = [end for end in ends if not isinstance(end, Placed)]
    assert wrong == []
    return [end for end in ends if isinstance(end, Placed)]


def offer_several(travel: FakeTravel) -> None:
    for number in (1, 2, 3):
        travel.offer(create_homestay(id=number))


def wishes(count: int) -> list[tuple[int, Stay, str | None]]:
    """Of strangers: no guest and no night in common. Every third has no key."""
    stays = [
        replace(stay, food=bool(number % 2), remark=f"'{number}'; %s \\ 早点到 🏡", guests=1 + number % 3)
        for number, stay in enumerate(create_stays(count))
    ]
    return [(100 + number, stay, f"tap {number}" if number % 3 else None) for number, stay in enumerate(stays)]


async def all_of(database: Database, sns: set[str]) -> None:
    """Each of these orders is there with all that belongs to it, and there are no others."""
    assert {row["sn"] for row in await stored(database, ORDERS)} == sns
    assert Counter(row["order_sn"] for row in await stored(database, EVENTS)) == dict.fromkeys(sns, 1)
    assert {sn for held in (await holders(database)).values() for sn in held} <= sns
    assert await mistakes(database) == []


@pytest.mark.parametrize("count", [2, 3, MOST, MOST + 1, 2 * MOST + 5])
async def test_each_order_is_what_was_wished(
    database: Database, tills: list[OrderRoom], sent: list[int], count: int
) -> None:
    wanted = wishes(count)
    orders = [each.order for each in placed(await at_once(tills[0], wanted))]
    for (guest, stay, _), order in zip(wanted, orders, strict=True):
        assert await tills[1].orders.find(guest, order.sn) == order
        assert (order.homestay_id, order.live_start_date, order.live_end_date) == (1, stay.start, stay.end)
        assert (order.live_people_num, order.need_food, order.remark) == (stay.guests, stay.food, stay.remark)
    assert await holders(database) == {
        stay.start: [order.sn] for (_, stay, _), order in zip(wanted, orders, strict=True)
    }
    keys = {(row["user_id"], row["order_sn"]) for row in await stored(database, KEYS)}
    assert keys == {(guest, order.sn) for (guest, _, key), order in zip(wanted, orders, strict=True) if key}
    await all_of(database, {order.sn for order in orders})
    alone = database.engine.dialect.name == "sqlite"
    assert len(sent) == (count if alone else math.ceil(count / MOST))
    again = placed(await at_once(tills[2], [wish for wish in wanted if wish[2]]))
    assert {(each.replayed, each.order.sn) for each in again} == {(True, sn) for _, sn in keys}


@pytest.mark.parametrize("why", ["taken", "enough", "reused", "repeated", "no text"])
async def test_what_one_is_refused_for_is_nothing_to_the_others(
    database: Database, tills: list[OrderRoom], travel: FakeTravel, why: str
) -> None:
    travel.offer(create_homestay(id=2))
    wanted = wishes(6)
    guest, stay, key = wanted[4]
    match why:
        case "taken":
            placed(await at_once(tills[1], [(1, stay, None)]))
        case "enough":
            await add_rows(database, [create_row(user_id=guest, homestay_id=9) for _ in range(LIMIT)])
        case "reused":
            placed(await at_once(tills[1], [(guest, create_stay(homestay_id=2), key)]))
        case "repeated":
            placed(await at_once(tills[1], [wanted[4]]))
        case "no text":
            wanted[4] = guest, replace(stay, remark="\ud800"), key
    before = len(await stored(database, ORDERS))
    *others, end, last = await at_once(tills[0], wanted)
    if why == "repeated":
        assert isinstance(end, Placed)
        assert end.replayed
    else:
        told = {"taken": DatesUnavailable, "enough": RateLimited, "reused": KeyReused, "no text": UnicodeEncodeError}
        assert type(end) is told[why]
    assert not any(each.replayed for each in placed([*others, last]))
    assert len(await stored(database, ORDERS)) == before + 5


async def test_a_room_in_which_somebody_has_a_place_is_refused_to_one_alone(
    database: Database, tills: list[OrderRoom], travel: FakeTravel
) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    first, second, third = create_stays(3)
    by_place = replace(third, homestay_id=2, guests=2)
    one = await tills[1].orders.create(1, by_place)
    await tills[1].orders.create(2, by_place)
    # The lowest places come free, and the room is sold as a whole from now on.
    await tills[1].orders.cancel(1, one.order.sn)
    travel.offer(create_homestay(id=2))
    ends = await at_once(tills[0], [(3, first, None), (4, second, None), (5, by_place, None)])
    placed(ends[:2])
    assert isinstance(ends[2], DatesUnavailable)
    assert [row["place"] for row in await stored(database, NIGHTS, homestay_id=2)] == [2, 3]


async def test_one_guests_orders_of_one_turn_are_counted_one_after_the_other(
    database: Database, tills: list[OrderRoom]
) -> None:
    stays = create_stays(12)
    ends = await at_once(tills[0], [(7 + number % 2, stay, None) for number, stay in enumerate(stays)])
    kinds = Counter((7 + number % 2, type(end)) for number, end in enumerate(ends))
    assert kinds == {(guest, kind): 3 for guest in (7, 8) for kind in (Placed, RateLimited)}
    assert await mistakes(database) == []


async def test_a_night_that_all_of_one_turn_want_is_sold_once(database: Database, tills: list[OrderRoom]) -> None:
    (night,) = create_stays(1)
    long = create_stay(start=night.start - timedelta(days=2), nights=5)
    ends = await at_once(tills[0], [(100 + number, long if number % 2 else night, None) for number in range(20)])
    kinds = Counter(type(end) for end in ends)
    assert kinds == {Placed: 1, DatesUnavailable: 19}
    assert await mistakes(database) == []


async def test_who_goes_away_takes_no_order_from_the_others(database: Database, tills: list[OrderRoom]) -> None:
    for turn in range(10):
        stays = [replace(stay, start=stay.start + timedelta(days=10 * turn)) for stay in create_stays(6)]
        wanted = [
            (1000 * turn + number, replace(stay, end=stay.start + timedelta(days=1)), f"tap {turn}")
            for number, stay in enumerate(stays, 1)
        ]
        calls = [asyncio.create_task(tills[0].orders.create(guest, stay, key=key)) for guest, stay, key in wanted]
        await asyncio.sleep(turn / 2000)
        calls[turn % 6].cancel()
        await asyncio.wait(calls)
        assert len([call for call in calls if not call.cancelled() and call.exception() is None]) >= 5
        again = [await tills[1].orders.create(guest, stay, key=key) for guest, stay, key in wanted]
        assert len({each.order.sn for each in again}) == 6
    assert len(await stored(database, ORDERS)) == 60
    assert await mistakes(database) == []


Sound = Callable[[GuardedConnection, str, int, list[Answer]], Any]


def breaking(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[Sound, GuardedConnection, str, int, list[Answer]], Any]
) -> None:
    """Has the first transaction of several orders end otherwise."""
    sound, broken = GuardedConnection.several, list[str]()

    async def several(connection: GuardedConnection, sql: str, count: int, answers: list[Answer]) -> None:
        if "homestay_order " in sql and not broken:
            broken.append(sql)
            await how(sound, connection, sql, count, answers)
        await sound(connection, sql, count, answers)

    monkeypatch.setattr(GuardedConnection, "several", several)


@a_server
@pytest.mark.parametrize("committed", [True, False])
async def test_a_connection_that_is_lost_at_the_commit_leaves_nobody_with_two_orders(
    database: Database, tills: list[OrderRoom], monkeypatch: pytest.MonkeyPatch, sent: list[int], *, committed: bool
) -> None:
    async def lose(sound: Sound, connection: GuardedConnection, sql: str, count: int, answers: list[Answer]) -> None:
        if committed:
            await sound(connection, sql, count, answers)
        answers.clear()
        error: Any = tills[0].database.engine.dialect.loaded_dbapi.OperationalError
        raise error(2013, "Lost connection: the test says so")

    breaking(monkeypatch, lose)
    wanted = [(guest, stay, f"tap {guest}") for guest, stay, _ in wishes(5)]
    ends = await at_once(tills[0], wanted)
    assert [type(end) for end in ends] == [DatabaseUnavailable] * 5
    # Nobody knows, so nobody is tried again.
    assert sent == [5]
    again = placed(await at_once(tills[0], wanted))
    assert {each.replayed for each in again} == {committed}
    await all_of(database, {each.order.sn for each in again})


@a_server
@pytest.mark.parametrize("at_commit", [True, False])
async def test_what_is_refused_at_the_commit_is_not_tried_again(
    database: Database, tills: list[OrderRoom], monkeypatch: pytest.MonkeyPatch, sent: list[int], *, at_commit: bool
) -> None:
    async def refuse(sound: Sound, connection: GuardedConnection, sql: str, count: int, answers: list[Answer]) -> None:
        if at_commit:
            await sound(connection, sql, count, answers)
            answers.pop()
        error: Any = tills[0].database.engine.dialect.loaded_dbapi.InternalError
        raise error(1105, "the test says so")

    breaking(monkeypatch, refuse)
    ends = await at_once(tills[0], wishes(5))
    if at_commit:
        assert all(isinstance(end, DBAPIError) and end.statement == COMMIT for end in ends), ends
        assert sent == [5]
    else:
        placed(ends)
        assert sent == [5, 1, 1, 1, 1, 1]
    assert len(await stored(database, ORDERS)) == 5


@a_server
async def test_who_finds_no_connection_is_told_so_at_once(
    database: Database, tills: list[OrderRoom], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def full(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise NoConnectionFree("none")

    monkeypatch.setattr(tills[0].database, "write_together", full)
    ends = await at_once(tills[0], wishes(5))
    assert [type(end) for end in ends] == [NoConnectionFree] * 5
    assert asked == 1
    assert await stored(database, ORDERS) == []


@a_server
async def test_who_waits_for_a_lock_keeps_the_others_no_longer_than_a_lock_is_waited_for(
    database: Database, tills: list[OrderRoom]
) -> None:
    wanted = wishes(6)
    async with database.engine.begin() as connection:
        await connection.execute(sa.insert(GUESTS).values(user_id=wanted[2][0]))
        ends = await at_once(tills[0], wanted)
    assert isinstance(ends[2], KeyInProgress if wanted[2][2] else DatabaseBusy)
    placed([*ends[:2], *ends[3:]])
    assert len(await stored(database, ORDERS)) == 5


@a_server
async def test_where_requests_are_traced_each_order_is_a_step_of_its_own(
    tills: list[OrderRoom], sent: list[int]
) -> None:
    with spans.keeping() as kept, tracing.span("the test"):
        placed(await at_once(tills[0], wishes(5)))
        assert len(kept.all("write Placing.place")) == 5
    assert sent == [1] * 5


@a_server
async def test_groups_that_want_the_same_at_once_never_wait_for_each_other(
    database: Database, tills: list[OrderRoom], tries: Counter[str], travel: FakeTravel, sent: list[int]
) -> None:
    offer_several(travel)
    for turn in range(10):
        stays = [replace(stay, homestay_id=1 + number % 3) for number, stay in enumerate(create_stays(12))]
        wanted = [(100 * turn + number, stay, None) for number, stay in enumerate(stays)]
        await asyncio.gather(*(at_once(till, wanted[:: (-1) ** place]) for place, till in enumerate(tills)))
        for order in await stored(database, ORDERS, trade_state=0):
            await tills[0].orders.cancel(order["user_id"], order["sn"])
    assert tries["again"] == 0
    assert max(sent) == 12


async def test_many_guests_at_many_tills_get_what_one_after_the_other_would_get(
    database: Database, tills: list[OrderRoom], travel: FakeTravel
) -> None:
    offer_several(travel)
    chance, ends = random.Random(5), Counter[str]()  # noqa: S311 -- no secret
    for turn in range(12):
        wanted = [
            [
                (
                    100 * place + chance.randrange(12),
                    create_stay(
                        homestay_id=chance.randint(1, 3),
                        start=SOON + timedelta(days=chance.randrange(80)),
                        nights=chance.randint(1, 4),
                    ),
                    f"tap {turn} {number // 2}" if number % 4 else None,
                )
                for number in range(10)
            ]
            for place in range(len(tills))
        ]
        came = await asyncio.gather(*(at_once(till, wanted[place]) for place, till in enumerate(tills)))
        for end in (end for of_till in came for end in of_till):
            ends["placed" if isinstance(end, Placed) else type(end).__name__] += 1
        unpaid = Counter(row["user_id"] for row in await stored(database, ORDERS, trade_state=0))
        assert max(unpaid.values()) <= LIMIT
        assert await mistakes(database) == []
        for order in await stored(database, ORDERS, trade_state=0):
            if chance.random() < 0.6:
                await tills[0].orders.cancel(order["user_id"], order["sn"])
    # On a machine that is busy, a connection or an answer may take longer than is waited for; who is told so is few.
    late = ends.pop("NoConnectionFree", 0) + ends.pop("DatabaseUnavailable", 0)
    assert late <= 24, late
    assert ends.keys() <= {"placed", "DatesUnavailable", "RateLimited", "KeyReused", "KeyInProgress"}, ends
    assert min(ends["placed"], ends["DatesUnavailable"]) > 100, ends
    rows = await stored(database, ORDERS)
    assert len(await stored(database, EVENTS)) >= len(rows)
    kept = [(row["user_id"], row["key_hash"]) for row in await stored(database, KEYS)]
    assert len(kept) == len(set(kept))
