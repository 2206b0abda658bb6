"""Connections that are borrowed from the pool: its bound and figures stay true, and none is lost or left open."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import QueuePool

from domain import borrowed, engine
from domain.borrowed import Borrowed
from domain.database import ATTEMPTS, Database
from domain.engine import create_engine, mistake_of
from domain.errors import DatabaseBusy, DatabaseUnavailable
from domain.mysql_driver import GuardedConnection
from domain.prepared import Prepared
from domain.together import Statement, Together
from tests.servers import MariaDB, require

SIZE: Final = 3
ME: Final = Prepared("me", sa.select(sa.func.connection_id()))
NAP: Final = Prepared("nap", sa.select(sa.func.sleep(sa.bindparam("seconds"))))
WRONG: Final = Prepared("wrong", sa.select(sa.column("nothing")).select_from(sa.table("nowhere")))
KEPT: Final = sa.table("kept", sa.column("number", sa.Integer))
KEEP: Final = Statement(sa.insert(KEPT))
COUNT: Final = "select count(*) from information_schema.processlist where user = 'homestay'"
ASK_NAP: Final = Statement(NAP.statement)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A server that nobody else's tests are using."""
    with require(MariaDB().start) as server:
        server.query("create table homestay.kept (number int primary key)")
        yield server


@pytest.fixture
async def lonely(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database with few connections, one of which is open."""
    monkeypatch.setattr(engine, "POOL_SIZE", SIZE)
    monkeypatch.setattr(engine, "POOL_TIMEOUT", 0.3)
    mariadb.query("truncate table homestay.kept")
    database = Database(create_engine(mariadb.url, statement_deadline=2.0))
    await database.ping()
    yield database
    assert pool_of(database).checkedout() == 0
    await database.close()


def pool_of(database: Database) -> QueuePool:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool


def kept(mariadb: MariaDB) -> list[int]:
    return [int(str(number)) for (number,) in mariadb.query("select number from homestay.kept order by number")]


async def me(database: Database) -> int:
    ((number,),) = await database.fetch(ME, {})
    return int(number)


def keeping(*numbers: int, commits: bool = True, nap: float = 0) -> Any:
    async def work(together: Together) -> None:
        for number in numbers:
            together.put(KEEP, {"number": number})
        if nap:
            await together.ask(ASK_NAP, {"seconds": nap})
        await (together.commit() if commits else together.send())

    return work


@pytest.fixture
def no_greenlet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(borrowed, "greenlet_spawn", never)


@pytest.mark.usefixtures("no_greenlet")
async def test_what_lies_in_the_pool_is_taken_and_laid_back(mariadb: MariaDB, lonely: Database) -> None:
    first = await me(lonely)
    await lonely.write_together(keeping(1))
    await lonely.write_together(keeping(2, commits=False))
    assert await me(lonely) == first
    assert kept(mariadb) == [1, 2]
    async with Borrowed(lonely.engine.sync_engine):
        assert pool_of(lonely).checkedout() == 1


async def test_there_are_never_more_connections_than_the_pool_has(mariadb: MariaDB, lonely: Database) -> None:
    pool_of(lonely)._timeout = 10.0
    most = 0

    async def look() -> None:
        nonlocal most
        while True:
            rows = await asyncio.to_thread(mariadb.query, COUNT)
            most = max(most, int(str(rows[0][0])))
            assert pool_of(lonely).checkedout() <= SIZE
            await asyncio.sleep(0.01)

    watch = asyncio.create_task(look())
    for turn in range(5):
        await asyncio.gather(
            *(lonely.fetch(NAP, {"seconds": 0.01}) for _ in range(4)),
            *(lonely.read(lambda connection: connection.execute(sa.text("do sleep(0.01)"))) for _ in range(4)),
            *(lonely.write_together(keeping(turn * 10 + number, nap=0.01)) for number in range(4)),
        )
    watch.cancel()
    assert most == SIZE
    assert len(kept(mariadb)) == 20


async def test_who_finds_none_free_is_told_so_in_time(lonely: Database) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(SIZE):
            group.create_task(lonely.fetch(NAP, {"seconds": 1.0}))
        await asyncio.sleep(0.2)
        for work in (me(lonely), lonely.write_together(keeping(1))):
            with pytest.raises(DatabaseBusy):
                await work
    await lonely.write_together(keeping(1))


async def test_what_fails_gives_its_connection_back_and_leaves_nothing_open(mariadb: MariaDB, lonely: Database) -> None:
    async def fail(together: Together) -> None:
        together.put(KEEP, {"number": 5})
        await together.send()
        raise LookupError

    first = await me(lonely)
    for _ in range(SIZE + 1):
        with pytest.raises(sa.exc.ProgrammingError):
            await lonely.fetch(WRONG, {})
        with pytest.raises(KeyError):
            await lonely.fetch(NAP, {})
        with pytest.raises(LookupError):
            await lonely.write_together(fail)
        with pytest.raises(sa.exc.IntegrityError):
            await lonely.write_together(keeping(6, 6, commits=False))
    assert await me(lonely) == first
    assert kept(mariadb) == []


async def test_a_transaction_is_run_again_where_the_database_asks_for_that(mariadb: MariaDB, lonely: Database) -> None:
    tries = 0

    async def work(together: Together) -> None:
        nonlocal tries
        tries += 1
        together.put(KEEP, {"number": tries})
        await together.send()
        if tries < ATTEMPTS:
            dialect = lonely.engine.dialect
            raise mistake_of(dialect.loaded_dbapi.OperationalError(1213, "Deadlock found"), dialect)

    await lonely.write_together(work)
    assert kept(mariadb) == [ATTEMPTS]


@pytest.mark.parametrize("after", range(0, 40, 3))
async def test_who_is_cancelled_leaves_no_answer_and_no_connection(
    mariadb: MariaDB, lonely: Database, after: int
) -> None:
    reads = [asyncio.create_task(lonely.fetch(NAP, {"seconds": 0.01})) for _ in range(SIZE)]
    async with asyncio.TaskGroup() as group:
        # As a loop ends: not even what writes is spared.
        write = group.create_task(lonely._commit(lonely._step("write", keeping), lonely._short_transaction, keeping(1)))
        await asyncio.sleep(after / 1000)
        write.cancel()
    for read in reads:
        read.cancel()
    await asyncio.wait(reads)
    assert pool_of(lonely).checkedout() == 0
    assert await lonely.fetch(NAP, {"seconds": 0}) == [(0,)]
    assert kept(mariadb) in ([], [1])
    await lonely.write_together(keeping(2))


async def test_a_connection_that_was_ended_or_lost_is_nobodys(mariadb: MariaDB, lonely: Database) -> None:
    task = asyncio.create_task(lonely.write_together(keeping(1, nap=1.0)))
    await asyncio.sleep(0.2)
    for (number,) in mariadb.query("select id from information_schema.processlist where user = 'homestay'"):
        mariadb.query(f"kill {number}")
    with pytest.raises(DatabaseUnavailable):
        await task
    assert pool_of(lonely).checkedout() == 0
    await lonely.write_together(keeping(2))
    assert kept(mariadb) == [2]


async def test_one_that_is_old_is_made_new(lonely: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await me(lonely)
    monkeypatch.setattr(pool_of(lonely), "_recycle", 0)
    assert await me(lonely) != first


async def test_one_that_says_something_unasked_is_not_taken(lonely: Database) -> None:
    await me(lonely)
    async with Borrowed(lonely.engine.sync_engine) as connection:
        driver: GuardedConnection = connection.driver
    assert driver.is_good
    driver._reader.feed_data(b"\x00")
    assert not driver.is_good


async def test_who_listens_to_the_pool_or_to_transactions_hears_of_all(mariadb: MariaDB, lonely: Database) -> None:
    heard: list[str] = []
    for name in ("checkout", "checkin"):
        sa.event.listen(pool_of(lonely), name, lambda *_, name=name: heard.append(name))
    await me(lonely)
    assert heard == ["checkout", "checkin"]
    sa.event.listen(lonely.engine.sync_engine, "commit", lambda _: heard.append("commit"))
    await lonely.write_together(keeping(1, commits=False))
    assert heard[2:] == ["checkout", "commit", "checkin"]
    assert kept(mariadb) == [1]


async def test_an_engine_that_is_closed_meanwhile_takes_nothing_back(lonely: Database) -> None:
    async with Borrowed(lonely.engine.sync_engine) as connection:
        await lonely.engine.dispose()
        assert await connection.driver.select("select 1") == ((1,),)
    connection.driver.close()  # of a pool that nobody has any more
    assert pool_of(lonely).checkedin() == 0
    assert await lonely.read(one) == 1


async def one(connection: AsyncConnection) -> int:
    return int((await connection.execute(sa.text("select 1"))).scalar_one())
