"""Transactions that write: all of it or nothing, whoever gets in the way."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import ATTEMPTS, Database
from domain.engine import create_engine
from domain.errors import DatabaseBusy
from tests.order.rows import ORDERS, add_order, create_row, stored

FIRST: Final = "HSO20260520120000FIRST000"
SECOND: Final = "HSO20260520120000SECOND00"
WRITERS: Final = 20
CANCELLED: Final = 40

# MariaDB is made to fail by its own words; SQLite has no such statement.
only_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def grow(sn: str) -> sa.Update:
    return sa.update(ORDERS).where(ORDERS.c.sn == sn).values(version=ORDERS.c.version + 1)


async def versions(database: Database) -> dict[str, int]:
    return {row["sn"]: row["version"] for row in await stored(database, ORDERS)}


async def test_what_the_work_gives_is_given_once_it_is_committed(database: Database) -> None:
    async def work(connection: AsyncConnection) -> str:
        await connection.execute(sa.insert(ORDERS).values(create_row(sn=FIRST)))
        return "done"

    assert await database.write(work) == "done"
    assert await versions(database) == {FIRST: 0}


async def test_work_that_fails_leaves_nothing_and_is_not_tried_again(database: Database) -> None:
    await add_order(database, sn=FIRST)
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(sa.insert(ORDERS).values(create_row(sn=SECOND)))
        await connection.execute(sa.insert(ORDERS).values(create_row(sn=FIRST, remark="a secret of mine")))

    with pytest.raises(IntegrityError) as failure:
        await database.write(work)
    assert "a secret of mine" not in str(failure.value)
    assert tries == 1
    assert await versions(database) == {FIRST: 0}


@only_mariadb
async def test_of_two_transactions_that_cross_both_are_made(database: Database) -> None:
    for sn in (FIRST, SECOND):
        await add_order(database, sn=sn)
    holds = {FIRST: asyncio.Event(), SECOND: asyncio.Event()}
    tries = 0

    def cross(mine: str, other: str) -> Coroutine[Any, Any, None]:
        async def work(connection: AsyncConnection) -> None:
            nonlocal tries
            tries += 1
            await connection.execute(grow(mine))
            holds[mine].set()
            await holds[other].wait()
            await connection.execute(grow(other))

        return database.write(work)

    await asyncio.gather(cross(FIRST, SECOND), cross(SECOND, FIRST))
    assert tries == 3
    assert await versions(database) == {FIRST: 2, SECOND: 2}


@only_mariadb
@pytest.mark.parametrize(
    ("error", "tried"), [(1213, ATTEMPTS), (1205, ATTEMPTS), (1020, ATTEMPTS), (1146, 1), (1406, 1)]
)
async def test_a_transaction_is_run_again_where_the_database_asks_for_that(
    database: Database, error: int, tried: int
) -> None:
    await add_order(database, sn=FIRST)
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(grow(FIRST))
        await connection.execute(sa.text(f"signal sqlstate '45000' set mysql_errno = {error}"))

    with pytest.raises((DBAPIError, DatabaseBusy)) as failure:
        await database.write(work)
    assert isinstance(failure.value, DatabaseBusy) is (tried > 1)
    assert str(error) in str(failure.value.__cause__ if tried > 1 else failure.value)
    assert tries == tried
    assert await versions(database) == {FIRST: 0}


@only_sqlite
async def test_a_locked_file_is_tried_again_and_then_given_up(database: Database) -> None:
    impatient = Database(create_engine(database.engine.url))

    @sa.event.listens_for(impatient.engine.sync_engine, "connect")
    def hurry(connection: Any, _: object) -> None:
        connection.execute("pragma busy_timeout=1").close()

    tries = 0

    @sa.event.listens_for(impatient.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        nonlocal tries
        tries += statement == "BEGIN IMMEDIATE"

    try:
        async with database.engine.begin():
            with pytest.raises(DatabaseBusy):
                await impatient.write(lambda connection: connection.execute(grow(FIRST)))
        assert tries == ATTEMPTS
        await impatient.write(lambda connection: connection.execute(grow(FIRST)))
    finally:
        await impatient.close()


async def test_a_caller_that_is_cancelled_leaves_all_of_its_write_or_nothing(database: Database) -> None:
    def caller(pair: tuple[str, str]) -> Coroutine[Any, Any, None]:
        async def work(connection: AsyncConnection) -> None:
            for sn in pair:
                await connection.execute(sa.insert(ORDERS).values(create_row(sn=sn)))

        return database.write(work)

    begun: set[str] = set()
    for yields in range(CANCELLED):
        pair = (f"HSO{yields}A", f"HSO{yields}B")
        task = asyncio.create_task(caller(pair))
        for _ in range(yields):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        begun |= {*pair} if yields else set()
    await database.close()  # waits for what is under way
    # Who never began has written nothing; whoever did is not half done, and not undone either.
    assert set(await versions(database)) == begun


@only_sqlite
async def test_writers_that_read_first_lose_nothing(database: Database) -> None:
    await add_order(database, sn=FIRST)
    tries: list[str] = []
    second: asyncio.Task[None] | None = None

    async def grow_by_hand(connection: AsyncConnection, *, begin_second: bool) -> None:
        nonlocal second
        tries.append("first" if begin_second else "second")
        found = (await connection.execute(sa.select(ORDERS.c.version))).scalar_one()
        if begin_second and second is None:
            second = asyncio.create_task(database.write(lambda other: grow_by_hand(other, begin_second=False)))
            # As long as it likes; it comes to nothing before the first is through.
            assert await asyncio.wait([second], timeout=0.1) == (set(), {second})
        await connection.execute(sa.update(ORDERS).values(version=found + 1))

    await database.write(lambda connection: grow_by_hand(connection, begin_second=True))
    assert second is not None
    await second
    assert tries == ["first", "second"]
    assert await versions(database) == {FIRST: 2}


async def test_writers_at_once_all_get_their_turn(database: Database) -> None:
    await add_order(database, sn=FIRST)
    await asyncio.gather(*(database.write(lambda connection: connection.execute(grow(FIRST))) for _ in range(WRITERS)))
    assert await versions(database) == {FIRST: WRITERS}


async def test_a_reader_waits_for_no_writer_and_sees_nothing_half_done(database: Database) -> None:
    await add_order(database, sn=FIRST)

    async def work(connection: AsyncConnection) -> dict[str, int]:
        await connection.execute(grow(FIRST))
        return await versions(database)

    assert await database.write(work) == {FIRST: 0}
    assert await versions(database) == {FIRST: 1}
