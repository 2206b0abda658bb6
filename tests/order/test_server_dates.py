"""Dates over the wire: instants there, calendar days where the homestay stands, wherever this process runs."""

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import rpc
from domain.database import Database
from domain.order import server as order_server
from domain.order.pricing import Rules
from domain.order.room import assemble
from domain.order.service import Orders
from proto import order_pb2, order_pb2_grpc
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.order.calls import Caller, invalid, refused
from tests.order.rows import GUEST, ORDERS, stored

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(params=["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"])
def process_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The zone that this process's C library takes for its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.fixture
async def in_new_york(database: Database, clock: FrozenClock, travel: FakeTravel) -> AsyncIterator[Caller]:
    """The service of an installation whose homestays stand in New York."""
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    rules = Rules(zone=NEW_YORK, pay_window=PAY_WINDOW)
    room = assemble(database, clock, rules, travel=travel, payments=FakePayments(), timer=FakeTimer())
    server = order_server.server(room.orders, room.closing, room.stays, zone=NEW_YORK, host="127.0.0.1", port=0)
    await server.start()
    async with rpc.channel(server.address) as channel:
        yield Caller(order_pb2_grpc.orderStub(channel))
    await server.stop(grace=0)


def nights(told: order_pb2.HomestayOrder, zone: ZoneInfo = SHANGHAI) -> tuple[date, date]:
    """The days of arrival and leaving, once it is shown that both are told as local midnights."""
    start, end = (datetime.fromtimestamp(second, zone) for second in (told.liveStartDate, told.liveEndDate))
    assert (start.hour, start.minute, end.hour, end.minute) == (0, 0, 0, 0)
    return start.date(), end.date()


async def test_a_night_is_a_night_however_many_hours_it_has(caller: Caller, travel: FakeTravel) -> None:
    for number, (hour, hours, count) in enumerate(
        (
            (14, 23, 1),
            (14, 24, 1),
            (14, 25, 1),
            (14, 47, 2),
            (14, 48, 2),
            (23, 2, 1),
            (0, 24, 1),
            (0, 47, 1),
            (23, 26, 2),
        ),
        start=10,
    ):
        travel.offer(create_homestay(id=number))
        start = datetime(2026, 6, 1, hour, tzinfo=SHANGHAI)
        told = await caller.detail(await caller.create(start, start + timedelta(hours=hours), homestay_id=number))
        assert nights(told) == (date(2026, 6, 1), date(2026, 6, 1) + timedelta(days=count)), (hour, hours)
        assert told.homestayTotalPrice == 29_900 * count


async def test_a_stay_without_a_night_is_refused(caller: Caller, database: Database) -> None:
    for hour, hours in ((0, 23), (14, 0), (14, 9), (14, -1), (14, -24), (14, -48)):
        start = datetime(2026, 6, 4, hour, tzinfo=SHANGHAI)
        assert await refused(caller.create(start, start + timedelta(hours=hours))) == invalid("liveEndDate"), hours
    assert await stored(database, ORDERS) == []


async def test_an_instant_is_the_day_that_it_falls_on_where_the_homestay_stands(
    caller: Caller, travel: FakeTravel
) -> None:
    for number, (instant, day) in enumerate(
        (
            (datetime(2026, 5, 31, 15, 59, 59, tzinfo=UTC), date(2026, 5, 31)),
            (datetime(2026, 5, 31, 16, 0, tzinfo=UTC), date(2026, 6, 1)),
            (datetime(2026, 6, 1, 0, 0, tzinfo=UTC), date(2026, 6, 1)),
        ),
        start=10,
    ):
        travel.offer(create_homestay(id=number))
        told = await caller.detail(await caller.create(instant, instant + timedelta(days=1), homestay_id=number))
        assert nights(told) == (day, day + timedelta(days=1)), instant


async def test_a_clock_that_changes_takes_no_night_and_adds_none(in_new_york: Caller) -> None:
    for day in (date(2026, 3, 7), date(2026, 3, 8), date(2026, 10, 31), date(2026, 11, 1)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
        told = await in_new_york.detail(await in_new_york.create(midnight, midnight + timedelta(days=1)))
        assert nights(told, NEW_YORK) == (day, day + timedelta(days=1))
        assert told.homestayTotalPrice == 29_900


async def test_dates_do_not_shift_with_the_zone_of_the_process(
    process_zone: str, caller: Caller, orders: Orders, database: Database, clock: FrozenClock
) -> None:
    # Half past midnight in Shanghai: still yesterday in UTC, and the morning before in New York.
    clock.at = datetime(2026, 5, 20, 16, 30, tzinfo=UTC)
    start = datetime(2026, 5, 21, 0, 0, tzinfo=SHANGHAI)
    sn = await caller.create(start, start + timedelta(days=2))
    (row,) = await stored(database, ORDERS)
    assert (row["live_start_date"], row["live_end_date"]) == (date(2026, 5, 21), date(2026, 5, 23)), process_zone
    assert (row["create_time"], row["close_at"]) == (clock.at, clock.at + PAY_WINDOW)
    assert nights(await caller.detail(sn)) == (date(2026, 5, 21), date(2026, 5, 23))
    assert sn.startswith("HSO20260521003000")
    order = await orders.find(GUEST, sn)
    assert order is not None
    assert (order.live_start_date, order.close_at) == (date(2026, 5, 21), clock.at + PAY_WINDOW)
    assert await refused(caller.create(start - timedelta(seconds=1), start + timedelta(days=1))) == invalid(
        "liveStartDate"
    )


async def test_what_is_no_instant_is_refused(caller: Caller, database: Database) -> None:
    for second in (2**63 - 1, -(2**63), 253_402_300_799, 2**40):
        request = order_pb2.CreateHomestayOrderReq(
            homestayId=1, userId=GUEST, livePeopleNum=2, liveStartTime=second, liveEndTime=second
        )
        status, reason, _ = await refused(caller.create_as(request))
        assert (status, reason) == invalid("")[:2], second
    assert await stored(database, ORDERS) == []
