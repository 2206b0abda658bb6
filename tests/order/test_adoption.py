"""Orders of the existing system get their nights, and its closed ones give theirs up."""

import asyncio
from datetime import date, timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.errors import DatesUnavailable
from domain.order.adoption import BATCH, Adopted, Adoption, Conflict
from domain.order.room import OrderRoom
from domain.order.states import SaleUnit, TradeState
from tests.clock import FrozenClock
from tests.conftest import SHANGHAI
from tests.factories import SOON, create_homestay, create_stay, create_stays
from tests.fakes import FakeTravel
from tests.order.rows import GUEST, ORDERS, add_rows, change, create_row, stored
from tests.order.tills import NIGHTS, holders, mistakes

TODAY: Final = date(2026, 5, 20)
DAY: Final = timedelta(days=1)


@pytest.fixture
def adoption(room: OrderRoom) -> Adoption:
    return room.adoption


def foreign(start: date = SOON, nights: int = 2, **named: Any) -> dict[str, Any]:
    """An order as the existing system writes it."""
    return create_row(live_start_date=start, live_end_date=start + nights * DAY, close_at=None, **named)


async def add(database: Database, *rows: dict[str, Any]) -> list[str]:
    await add_rows(database, rows)
    return [row["sn"] for row in rows]


async def test_open_and_paid_orders_take_their_nights_once(database: Database, adoption: Adoption) -> None:
    sns = await add(
        database,
        foreign(),
        foreign(SOON + 2 * DAY, trade_state=TradeState.WAIT_USE),
        foreign(homestay_id=2, row_type=SaleUnit.PERSON, live_people_num=3, nights=1),
    )
    assert await adoption.run() == Adopted(adopted=3)
    assert await holders(database) == {SOON + n * DAY: [sns[n // 2]] for n in range(4)}
    assert await holders(database, 2) == {SOON: [sns[2]] * 3}
    assert [row["place"] for row in await stored(database, NIGHTS, homestay_id=2)] == [0, 1, 2]
    assert await mistakes(database, capacity=4) == []
    before = await stored(database, NIGHTS)
    assert await adoption.run() == Adopted()
    assert await stored(database, NIGHTS) == before


async def test_orders_that_want_no_nights_get_none(database: Database, adoption: Adoption) -> None:
    await add(
        database,
        *(foreign(trade_state=state) for state in set(TradeState) - {TradeState.WAIT_PAY, TradeState.WAIT_USE}),
        foreign(TODAY - 2 * DAY, nights=2),
        foreign(nights=0),
        foreign(nights=-1),
    )
    await add(database, foreign(del_state=1))
    assert await adoption.run() == Adopted()
    assert await holders(database) == {}


async def test_of_a_stay_that_has_begun_the_nights_that_are_left_are_taken(
    database: Database, adoption: Adoption
) -> None:
    sns = await add(database, foreign(TODAY - DAY, nights=3, trade_state=TradeState.WAIT_USE))
    assert (await adoption.run()).adopted == 1
    assert await holders(database) == {TODAY: sns, TODAY + DAY: sns}


async def test_the_oldest_order_gets_the_nights_and_the_others_are_told_apart(
    database: Database, adoption: Adoption, travel: FakeTravel, room: OrderRoom
) -> None:
    ours = (await room.orders.create(8, create_stay(start=SOON + 5 * DAY, nights=1))).order.sn
    first, second, third, fourth = await add(
        database, foreign(nights=3), foreign(SOON + DAY, nights=4), foreign(SOON + 3 * DAY), foreign(SOON + 4 * DAY)
    )
    ran = await adoption.run()
    assert ran.adopted == 2
    assert ran.conflicts == [
        Conflict(second, 1, (SOON + DAY, SOON + 2 * DAY)),
        Conflict(fourth, 1, (SOON + 4 * DAY, SOON + 5 * DAY)),
    ]
    found = await holders(database)
    assert {night: sns for night, (sns, *_) in found.items()} == {
        **{SOON + n * DAY: first for n in range(3)},
        **{SOON + n * DAY: third for n in (3, 4)},
        SOON + 5 * DAY: ours,
    }
    # Nothing of a stay that can't be had as a whole is taken, also the next time.
    again = await adoption.run()
    assert (again.adopted, [one.sn for one in again.conflicts]) == (0, [second, fourth])
    await room.orders.cancel(GUEST, third)
    await change(database, first, trade_state=TradeState.CANCELLED)
    again = await adoption.run()
    assert (again.adopted, again.freed, [one.sn for one in again.conflicts]) == (1, 1, [fourth])
    assert travel.asked == [1]


async def test_places_of_a_homestay_sold_per_person_go_to_whom_they_suffice(
    database: Database, adoption: Adoption
) -> None:
    def party(guests: int, nights: int = 1, **named: Any) -> dict[str, Any]:
        return foreign(nights=nights, row_type=SaleUnit.PERSON, people_num=6, live_people_num=guests, **named)

    sns = await add(database, party(3), party(4), party(2, nights=2), party(1), party(6, start=SOON + DAY))
    ran = await adoption.run()
    assert (ran.adopted, [one.sn for one in ran.conflicts]) == (3, [sns[1], sns[4]])
    assert await holders(database) == {SOON: [sns[0]] * 3 + [sns[2]] * 2 + [sns[3]], SOON + DAY: [sns[2]] * 2}


async def test_numbers_that_nobody_checked_are_made_the_best_of(database: Database, adoption: Adoption) -> None:
    def odd(homestay_id: int, row_type: int, people_num: int, guests: int) -> dict[str, Any]:
        return foreign(
            homestay_id=homestay_id, row_type=row_type, people_num=people_num, live_people_num=guests, nights=1
        )

    wanted = [odd(1, 7, 4, 2), odd(2, 1, 4, 9), odd(3, 1, 4, -3), odd(4, 1, 0, 2), odd(5, 0, -1, 0)]
    await add(database, *(row | {"row_type": SaleUnit.ROOM} for row in wanted))
    raw = sa.table("homestay_order", sa.column("sn"), sa.column("row_type"))
    for row in wanted:
        statement = sa.update(raw).where(raw.c.sn == row["sn"]).values(row_type=row["row_type"])
        await database.write(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]
    assert await adoption.run() == Adopted(adopted=5)
    shown = await stored(database, NIGHTS)
    assert [(row["homestay_id"], row["place"], row["whole"]) for row in shown] == [
        (1, 0, True),
        *((2, place, False) for place in range(4)),
        (3, 0, False),
        (4, 0, False),
        (5, 0, True),
    ]


async def test_closed_orders_that_still_hold_nights_give_them_up(
    database: Database, adoption: Adoption, room: OrderRoom
) -> None:
    sns = [(await room.orders.create(GUEST, stay)).order.sn for stay in create_stays(5)]
    await change(database, sns[0], trade_state=TradeState.CANCELLED)
    await change(database, sns[1], trade_state=TradeState.REFUNDED)
    await change(database, sns[2], del_state=1)
    await change(database, sns[3], trade_state=TradeState.USED)
    assert await adoption.run() == Adopted(freed=3)
    assert await holders(database) == {SOON + 3 * DAY: [sns[3]], SOON + 4 * DAY: [sns[4]]}
    assert await adoption.run() == Adopted()


async def test_many_orders_are_adopted_piece_by_piece(database: Database, adoption: Adoption) -> None:
    count = 2 * BATCH + 50
    rows = [foreign(SOON + number // 2 * DAY, nights=1) for number in range(count)]
    sns = await add(database, *rows)
    seen: list[Adopted] = []
    ran = await adoption.run(watch=seen.append)
    assert (ran.adopted, [one.sn for one in ran.conflicts], ran.after) == (count // 2, sns[1::2], 0)
    assert [done.adopted for done in seen] == [50, 100, 125]
    assert await holders(database) == {SOON + n * DAY: [sns[2 * n]] for n in range(count // 2)}


async def test_a_job_goes_on_where_it_stopped_and_begins_again_when_it_is_through(
    database: Database, adoption: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.order.adoption.PIECE", 3)
    # Two that can have nothing come first, and must not keep the others waiting for ever.
    sns = await add(database, foreign(), foreign(), foreign(), *(foreign(SOON + n * DAY) for n in (2, 4, 6)))
    ids = [row["id"] for row in await stored(database, ORDERS)]
    note = await adoption.go_on("")
    assert note == str(ids[2])
    note = await adoption.go_on(note)
    assert {sn for (sn, *_) in (await holders(database)).values()} == {sns[0], *sns[3:]}
    note = await adoption.go_on(note)
    assert note == "0"
    assert await adoption.go_on("what is no number") == "0"


async def test_one_run_among_many_takes_each_orders_nights(
    database: Database, clock: FrozenClock, adoption: Adoption
) -> None:
    parties = [
        foreign(SOON + n // 4 * DAY, row_type=SaleUnit.PERSON, people_num=6, live_people_num=1, nights=1)
        for n in range(60)
    ]
    await add(database, *parties)
    others = [Adoption(database, clock, SHANGHAI) for _ in range(3)]
    ran = await asyncio.gather(*(each.run() for each in (adoption, *others)))
    assert sum(done.adopted for done in ran) == 60
    assert [done.conflicts for done in ran] == [[]] * 4
    assert await mistakes(database, capacity=6) == []


async def test_guests_who_come_meanwhile_and_adopted_orders_share_no_night(
    database: Database, adoption: Adoption, room: OrderRoom, travel: FakeTravel
) -> None:
    travel.offer(create_homestay(id=1))
    await add(database, *(foreign(SOON + n * DAY, nights=1, user_id=n) for n in range(40)))

    async def come() -> int:
        placed = 0
        for n in range(39, -1, -1):
            try:
                await room.orders.create(GUEST, create_stay(start=SOON + n * DAY, nights=1))
                placed += 1
            except DatesUnavailable:
                pass
        return placed

    placed, ran = await asyncio.gather(come(), adoption.run())
    assert placed + ran.adopted == 40
    assert len(ran.conflicts) == placed
    found = await holders(database)
    assert [len(sns) for sns in found.values()] == [1] * 40


async def test_an_order_that_is_closed_meanwhile_takes_nothing(
    database: Database, adoption: Adoption, room: OrderRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    sns = await add(database, foreign(), foreign(SOON + 5 * DAY))
    taking = adoption._take

    async def close_first(orders: Any) -> Any:
        await room.orders.cancel(GUEST, sns[0])
        return await taking(orders)

    monkeypatch.setattr(adoption, "_take", close_first)
    assert await adoption.run() == Adopted(adopted=1)
    assert set(await holders(database)) == {SOON + 5 * DAY, SOON + 6 * DAY}
