"""A database that is lost: told apart from a bug, and told in time, also where it hangs rather than dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
from pymysql.err import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import engine, mysql_driver
from domain.database import Database
from domain.engine import create_engine
from domain.errors import DatabaseUnavailable, NoConnectionFree
from tests.servers import MariaDB, require

SELECT = sa.text("select 1")
# Seconds; what a busy machine adds to a deadline. What would be waited for instead takes longer by far, or never comes.
SLACK = 20.0


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A server that nobody else's tests are using."""
    with require(MariaDB().start) as server:
        yield server


@pytest.fixture
async def lonely(mariadb: MariaDB) -> AsyncIterator[Database]:
    """An engine of its own on the server that tests may break."""
    database = Database(create_engine(mariadb.url, statement_deadline=1.0))
    yield database
    await database.close()


async def test_a_statement_that_takes_too_long_is_given_up_and_its_connection_with_it(lonely: Database) -> None:
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match="right now") as failure:
        await lonely.read(lambda connection: connection.execute(sa.text("select sleep(60)")))
    assert time.monotonic() - started < 1.0 + SLACK
    assert "no answer in 1.0 s" in failure.value.reason
    # Its answer is nobody else's.
    assert (await lonely.read(lambda connection: connection.execute(sa.text("select 7")))).scalar_one() == 7


async def test_a_statement_that_is_given_up_by_who_asked_leaves_its_answer_to_nobody(lonely: Database) -> None:
    for number in range(20):
        task = asyncio.create_task(
            lonely.read(lambda connection: connection.execute(sa.text("select 'late' from (select sleep(0.02)) t")))
        )
        await asyncio.sleep(number / 1000)
        task.cancel()
        await asyncio.wait([task])
        found = await lonely.read(lambda connection: connection.execute(sa.text("select 'mine'")))
        assert found.scalar_one() == "mine"


async def test_a_server_that_is_frozen_is_told_of_in_time_and_used_again_when_it_thaws(
    mariadb: MariaDB, lonely: Database
) -> None:
    await lonely.ping()
    mariadb.pause()
    try:
        started = time.monotonic()
        answers = await asyncio.gather(*(lonely.ping() for _ in range(10)), return_exceptions=True)
        took = time.monotonic() - started
    finally:
        mariadb.resume()
    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 10
    assert took < mysql_driver.PING_DEADLINE + mysql_driver.HANDSHAKE_DEADLINE + SLACK
    await lonely.ping()


async def test_a_server_that_is_gone_is_no_bug(mariadb: MariaDB, lonely: Database) -> None:
    await lonely.ping()
    mariadb.kill()
    try:
        for work in (lonely.read, lonely.write):
            with pytest.raises(DatabaseUnavailable):
                await work(lambda connection: connection.execute(SELECT))
    finally:
        mariadb.restart()
    await lonely.ping()


async def test_a_server_that_hangs_up_while_one_connects_is_no_bug(
    lonely: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang_up(_: object) -> None:
        # In the driver's words.
        raise RuntimeError("Transport does not expose socket instance")

    monkeypatch.setattr(mysql_driver.GuardedConnection, "_connect", hang_up)
    with pytest.raises(DatabaseUnavailable) as failure:
        await lonely.ping()
    assert "hung up" in failure.value.reason


async def test_no_connection_free_is_no_bug(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "POOL_SIZE", 1)
    monkeypatch.setattr(engine, "POOL_TIMEOUT", 0.1)
    database = Database(create_engine(mariadb.url))
    async with database.engine.connect():
        with pytest.raises(NoConnectionFree):
            await database.ping()
    await database.close()


async def test_a_statement_that_makes_no_sense_stays_a_bug(lonely: Database) -> None:
    for work in (lonely.read, lonely.write):
        with pytest.raises(sa.exc.DBAPIError):
            await work(lambda connection: connection.execute(sa.text("select nothing from nowhere")))


async def test_a_server_without_tls_is_refused_where_tls_is_required(mariadb: MariaDB) -> None:
    url = sa.make_url(mariadb.url)
    connection = mysql_driver.GuardedConnection(host=url.host, port=url.port, user=url.username, db=url.database)
    connection.tls_required = True
    with pytest.raises(OperationalError, match="TLS is required"):
        await connection.connect()


async def test_a_file_that_can_not_be_opened_is_no_bug(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = tmp_path_factory.mktemp("there") / "not" / "there.sqlite3"
    database = Database(create_engine(f"sqlite+aiosqlite:///{nowhere}"))
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await database.close()


async def test_a_rollback_that_is_not_answered_holds_nobody_and_leaves_no_trace(
    mariadb: MariaDB, lonely: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def freeze(connection: AsyncConnection) -> None:
        await connection.execute(SELECT)
        mariadb.pause()

    started = time.monotonic()
    try:
        # It has its answer when the pool rolls back what was only read.
        async with lonely.engine.connect() as connection:
            await freeze(connection)
        assert time.monotonic() - started < mysql_driver.PING_DEADLINE + SLACK
    finally:
        mariadb.resume()
    assert caplog.records == []
    await lonely.ping()
