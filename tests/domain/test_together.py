"""Statements that go to the database together: the same as one after the other, and nothing after one that fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import date, timedelta
from typing import Any, Final, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import mysql_driver
from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.errors import DatabaseUnavailable
from domain.order.models import HomestayNight
from domain.together import Put, Statement, Together
from tests.servers import MariaDB, require

T = TypeVar("T")
NIGHTS: Final = table_of(HomestayNight)
ADD: Final = Statement(sa.insert(NIGHTS))
FIND: Final = Statement(sa.select(NIGHTS).where(NIGHTS.c.order_sn == sa.bindparam("sn")).order_by(NIGHTS.c.night))
# The server that is slow is MariaDB; SQLite has nothing to wait for.
SLEEP: Final = Statement(sa.select(sa.func.sleep(sa.bindparam("seconds"))))
DAY: Final = date(2026, 6, 1)
NASTY: Final = ("%s", "it's \\", '"; commit; --', "庭院 🏡 %(sn)s", ":sn")
ONE: Final = Statement(sa.select(sa.literal(1)))

only_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


def night(number: int, sn: str, **named: Any) -> dict[str, Any]:
    row = {"homestay_id": 1, "night": DAY + timedelta(days=number), "place": 0, "whole": True, "order_sn": sn}
    return row | named


async def found(database: Database, sn: str) -> list[dict[str, Any]]:
    statement = sa.select(NIGHTS).where(NIGHTS.c.order_sn == sn).order_by(NIGHTS.c.night)
    return [dict(row._mapping) for row in await database.read(lambda connection: connection.execute(statement))]


Way = Callable[[Database, Callable[[Together], Coroutine[Any, Any, T]]], Coroutine[Any, Any, T]]


@pytest.fixture(params=["by the shortest way", "in SQLAlchemy's transaction"])
def written(request: pytest.FixtureRequest) -> Any:
    """Runs work in a transaction."""

    async def by_sqlalchemy(database: Database, work: Callable[[Together], Coroutine[Any, Any, T]]) -> T:
        return await database.write(lambda connection: work(Together(connection)))

    return Database.write_together if request.param == "by the shortest way" else by_sqlalchemy


async def test_what_is_sent_together_is_stored_and_found_as_by_sqlalchemy(
    database: Database, written: Way[Any]
) -> None:
    async def work(together: Together) -> list[Put]:
        puts = []
        for number, sn in enumerate(NASTY):
            rows = [night(10 * number + each, sn, whole=bool(each)) for each in range(3)]
            together.put(ADD, rows)
            puts.append(together.put(FIND, {"sn": sn}))
        assert all(put.rows == () for put in puts)
        await together.commit()
        return puts

    for sn, put in zip(NASTY, await written(database, work), strict=True):
        rows = await found(database, sn)
        assert len(rows) == 3
        assert [row["whole"] for row in rows] == [False, True, True]
        assert [tuple(row.values()) for row in rows] == list(put.rows)
        assert [type(value) for value in put.rows[0]] == [type(value) for value in rows[0].values()]


@pytest.mark.parametrize("ends", ["send", "commit"])
async def test_nothing_is_run_after_one_that_fails_and_nothing_is_kept(
    database: Database, written: Way[Any], ends: str
) -> None:
    async def first(together: Together) -> None:
        together.put(ADD, night(0, "first"))
        await together.commit()

    async def second(together: Together) -> None:
        together.put(ADD, night(1, "second"))
        together.put(ADD, night(0, "second"))
        together.put(ADD, night(2, "second"))
        await getattr(together, ends)()

    await written(database, first)
    with pytest.raises(IntegrityError) as failure:
        await written(database, second)
    assert "second" not in str(failure.value), "no value is told"
    assert await found(database, "second") == []
    assert len(await found(database, "first")) == 1


async def test_what_was_sent_and_not_committed_is_given_up_with_the_transaction(
    database: Database, written: Way[Any]
) -> None:
    async def work(together: Together) -> None:
        together.put(ADD, night(0, "lost"))
        await together.send()
        raise RuntimeError("the test says so")

    with pytest.raises(RuntimeError, match="the test says so"):
        await written(database, work)
    assert await found(database, "lost") == []


async def test_what_is_sent_and_left_to_the_transaction_is_committed_by_it(
    database: Database, written: Way[Any]
) -> None:
    async def work(together: Together) -> None:
        together.put(ADD, night(0, "kept"))
        await together.send()
        assert await found(database, "kept") == [], "others see nothing of it yet"

    await written(database, work)
    assert len(await found(database, "kept")) == 1


@only_mariadb
async def test_a_transaction_that_is_refused_by_the_server_is_run_again(database: Database) -> None:
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        together = Together(connection)
        together.put(ADD, night(tries, "again"))
        await together.send()
        if tries == 1:
            await connection.execute(sa.text("signal sqlstate '45000' set mysql_errno = 1213"))
        await together.commit()

    await database.write(work)
    assert [row["night"] for row in await found(database, "again")] == [DAY + timedelta(days=2)]


@pytest.fixture(scope="module")
def fragile() -> Iterator[MariaDB]:
    """A server that nobody else's tests are using."""
    with require(MariaDB().start) as server:
        yield server


@pytest.fixture
async def lonely(fragile: MariaDB) -> AsyncIterator[Database]:
    """An engine of its own on the server that tests may break."""
    database = Database(create_engine(fragile.url, statement_deadline=1.0))
    yield database
    await database.close()


def naps(*seconds: float) -> Any:
    async def work(together: Together) -> list[int]:
        puts = [together.put(SLEEP, {"seconds": each}) for each in seconds]
        await together.send()
        return [int(put.rows[0][0]) for put in puts]

    return work


async def test_each_of_several_has_the_time_of_one(lonely: Database, written: Way[Any]) -> None:
    assert await written(lonely, naps(0.6, 0.6, 0.6)) == [0, 0, 0]


@pytest.mark.parametrize("seconds", [(60, 0), (0, 60), (0, 60, 0)])
async def test_one_that_takes_too_long_is_given_up_and_its_connection_with_it(
    lonely: Database, written: Way[Any], seconds: tuple[float, ...]
) -> None:
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as failure:
        await written(lonely, naps(*seconds))
    # Within a second, and what a busy machine adds to that: not when the answer comes.
    assert time.monotonic() - started < 1.0 + 20.0
    assert "no answer in 1.0 s" in failure.value.reason
    assert await written(lonely, naps(0)) == [0]


async def test_what_is_given_up_by_who_asked_leaves_its_answers_to_nobody(lonely: Database, written: Way[Any]) -> None:
    for number in range(20):
        task = asyncio.create_task(written(lonely, naps(0.01, 0.01)))
        await asyncio.sleep(number / 1000)
        task.cancel()
        await asyncio.wait([task])
        assert await written(lonely, naps(0)) == [0]


async def test_a_server_that_dies_between_two_answers_is_no_bug(
    fragile: MariaDB, lonely: Database, written: Way[Any]
) -> None:
    task = asyncio.create_task(written(lonely, naps(0, 0.9, 0)))
    await asyncio.sleep(0.3)
    fragile.kill()
    try:
        with pytest.raises(DatabaseUnavailable):
            await task
    finally:
        fragile.restart()
    assert await written(lonely, naps(0)) == [0]


async def test_a_transaction_without_a_statement_is_none(lonely: Database, written: Way[Any]) -> None:
    async def nothing(together: Together) -> None:
        await together.commit()

    await written(lonely, nothing)
    # Nothing of it is left to the next who has the connection.
    opened = "select @@in_transaction"
    assert (await lonely.read(lambda connection: connection.execute(sa.text(opened)))).scalar_one() == 0


async def test_a_trip_takes_several_statements(
    lonely: Database, written: Way[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    execute = mysql_driver.GuardedConnection._execute_command

    async def note(self: Any, command: int, sql: Any) -> None:
        sent.append(sql if isinstance(sql, str) else bytes(sql).decode())
        await execute(self, command, sql)

    async def work(together: Together) -> None:
        for _ in range(3):
            together.put(ONE)
        await together.commit()

    await lonely.ping()
    monkeypatch.setattr(mysql_driver.GuardedConnection, "_execute_command", note)
    await written(lonely, work)
    assert [trip.split(";") for trip in sent] == [["BEGIN", *["SELECT 1 AS anon_1"] * 3, "COMMIT"]]


def test_a_statement_whose_text_depends_on_its_values_is_refused() -> None:
    statement = Statement(sa.select(NIGHTS).where(NIGHTS.c.place.in_(sa.bindparam("places", expanding=True))))
    with pytest.raises(ValueError, match="can't be made once"):
        statement.text(mysql.dialect(), {"places": [1]})
