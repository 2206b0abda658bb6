"""Instants: the same on both databases, and never moved by storing them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from domain.columns import UTCDateTime, table_of, utc_now, whole_second
from domain.database import Database
from tests.clock import FrozenClock
from tests.conftest import SHANGHAI

MOMENTS: Final = sa.Table(
    "moments",
    sa.MetaData(),
    sa.Column("second", UTCDateTime()),
    sa.Column("instant", UTCDateTime(milliseconds=True)),
)
# How far this process's clock and the database's may be apart while a statement travels.
NEAR: Final = timedelta(seconds=1)
AFTERNOON: Final = datetime(2026, 5, 20, 12, 34, 56, 789_999, tzinfo=UTC)


@pytest.fixture
async def moments(database: Database) -> AsyncIterator[Database]:
    async with database.engine.begin() as connection:
        await connection.run_sync(MOMENTS.create)
    yield database
    async with database.engine.begin() as connection:
        await connection.run_sync(MOMENTS.drop)


async def keep(database: Database, instant: datetime | None) -> tuple[datetime | None, datetime | None]:
    """An instant as it is read again, from a column of whole seconds and from one of milliseconds."""

    async def work(connection: AsyncConnection) -> tuple[Any, Any]:
        await connection.execute(sa.delete(MOMENTS))
        await connection.execute(sa.insert(MOMENTS).values(second=instant, instant=instant))
        kept = (await connection.execute(sa.select(MOMENTS))).one()
        return kept.second, kept.instant

    return await database.write(work)


async def row(database: Database, *expressions: Any) -> tuple[Any, ...]:
    return tuple((await database.read(lambda connection: connection.execute(sa.select(*expressions)))).one())


async def scalar(database: Database, expression: Any) -> Any:
    return (await row(database, expression))[0]


async def test_what_is_finer_is_cut_off_and_never_rounded_into_the_future(moments: Database) -> None:
    assert await keep(moments, AFTERNOON) == (
        AFTERNOON.replace(microsecond=0),
        AFTERNOON.replace(microsecond=789_000),
    )
    last = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert await keep(moments, last) == (last.replace(microsecond=0), last.replace(microsecond=999_000))


async def test_an_instant_is_the_same_wherever_it_was_told(moments: Database) -> None:
    for zone in (SHANGHAI, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Kiritimati")):
        second, instant = await keep(moments, AFTERNOON.astimezone(zone))
        assert (second, instant) == (AFTERNOON.replace(microsecond=0), AFTERNOON.replace(microsecond=789_000))
        assert second is not None
        assert second.tzinfo is UTC


async def test_no_instant_stays_none(moments: Database) -> None:
    assert await keep(moments, None) == (None, None)


async def test_an_instant_without_its_offset_is_refused(moments: Database) -> None:
    naive = AFTERNOON.replace(tzinfo=None)
    with pytest.raises(StatementError, match="offset"):
        await keep(moments, naive)
    with pytest.raises(StatementError, match="offset"):
        await scalar(moments, sa.func.count().filter(MOMENTS.c.instant <= naive))


async def test_the_databases_present_is_ours(database: Database) -> None:
    before = datetime.now(UTC)
    now = await scalar(database, utc_now())
    assert now.tzinfo is UTC
    assert before - NEAR < now < datetime.now(UTC) + NEAR
    assert now.microsecond % 1000 == 0


async def test_a_past_is_that_much_before_the_present(database: Database) -> None:
    for ago in (
        timedelta(),
        timedelta(microseconds=1),
        timedelta(milliseconds=1500),
        timedelta(seconds=10),
        timedelta(days=1),
        timedelta(days=9000),
    ):
        now, then = await row(database, utc_now(), utc_now(ago))
        assert abs(now - then - ago) <= timedelta(milliseconds=2), ago


async def test_the_present_has_milliseconds(database: Database) -> None:
    seen = {(await scalar(database, utc_now())).microsecond for _ in range(20)}
    assert len(seen) > 1


async def test_what_is_stored_compares_with_the_present_to_the_millisecond(moments: Database) -> None:
    async def is_past(instant: datetime, ago: timedelta) -> bool:
        await keep(moments, instant)
        return bool(await scalar(moments, MOMENTS.c.instant <= utc_now(ago)))

    now = datetime.now(UTC)
    assert await is_past(now - timedelta(milliseconds=5), timedelta())
    assert not await is_past(now + timedelta(seconds=5), timedelta())
    assert await is_past(now - timedelta(seconds=15), timedelta(seconds=10))
    assert not await is_past(now - timedelta(seconds=5), timedelta(seconds=10))
    # Whole seconds and part of one are written alike.
    assert await is_past(now.replace(microsecond=0), timedelta())


async def test_the_present_can_be_stored(moments: Database) -> None:
    store = sa.insert(MOMENTS).values(instant=utc_now())
    await moments.write(lambda connection: connection.execute(store))
    stored = await scalar(moments, MOMENTS.c.instant)
    assert abs(stored - datetime.now(UTC)) < NEAR
    assert stored.microsecond % 1000 == 0
    # SQLite keeps text: the two ways to write an instant must be one.
    assert await scalar(moments, MOMENTS.c.instant == stored)


async def test_a_clock_that_stands_still_stands_still_in_sql_too(database: Database) -> None:
    clock = FrozenClock(AFTERNOON)
    assert await scalar(database, clock.sql_now()) == AFTERNOON.replace(microsecond=789_000)
    assert await scalar(database, clock.sql_now(ago=timedelta(seconds=1))) == AFTERNOON.replace(
        second=55, microsecond=789_000
    )


def test_what_is_no_table_has_none() -> None:
    with pytest.raises(TypeError, match="SQLModel is no table"):
        table_of(SQLModel)


async def test_the_second_of_an_instant_is_the_one_that_it_lies_in(moments: Database) -> None:
    clock = FrozenClock(AFTERNOON)

    async def work(connection: AsyncConnection) -> Any:
        await connection.execute(sa.insert(MOMENTS).values(second=whole_second(clock.sql_now())))
        return (await connection.execute(sa.select(MOMENTS.c.second))).scalar_one()

    assert await moments.write(work) == AFTERNOON.replace(microsecond=0)
    assert (await scalar(moments, whole_second(utc_now()))).microsecond == 0
