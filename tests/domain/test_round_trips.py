"""What is asked of a database for one read and one write: nothing that is known already, and nothing less."""

from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import Database
from domain.engine import create_engine
from domain.mysql_driver import GuardedConnection
from domain.prepared import Prepared
from tests.servers import MariaDB, require

NUMBER = Prepared("number", sa.select(sa.bindparam("number", type_=sa.Integer()).label("number")))


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A server that nobody else's tests are using."""
    with require(MariaDB().start) as server:
        server.query("create table homestay.one (number int primary key)")
        yield server


@pytest.fixture
async def lonely(mariadb: MariaDB) -> AsyncIterator[Database]:
    database = Database(create_engine(mariadb.url))
    await database.ping()
    yield database
    await database.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is sent to the server."""
    sent: list[str] = []
    sound = GuardedConnection._execute_command

    async def watch(connection: GuardedConnection, command: int, sql: str | bytes) -> None:
        sent.append(f"{command}" if not sql else sql.decode() if isinstance(sql, bytes) else sql)
        await sound(connection, command, sql)

    monkeypatch.setattr(GuardedConnection, "_execute_command", watch)
    return sent


async def stored(connection: AsyncConnection) -> list[int]:
    return list((await connection.execute(sa.text("select number from one"))).scalars())


async def test_a_read_is_one_question(lonely: Database, asked: list[str]) -> None:
    assert await lonely.fetch(NUMBER, {"number": 7}) == [(7,)]
    assert len(asked) == 1
    await lonely.read(stored)
    assert asked[1:] == ["select number from one"]


async def test_a_write_is_a_transaction(mariadb: MariaDB, lonely: Database, asked: list[str]) -> None:
    await lonely.write(lambda connection: connection.execute(sa.text("insert into one values (1)")))
    assert asked == ["BEGIN;insert into one values (1)", "COMMIT"]

    async def fail(connection: AsyncConnection) -> None:
        await connection.execute(sa.text("insert into one values (2)"))
        raise LookupError

    asked.clear()
    with pytest.raises(LookupError):
        await lonely.write(fail)
    assert asked == ["BEGIN;insert into one values (2)", "ROLLBACK"]
    assert mariadb.query("select number from homestay.one") == [(1,)]


async def test_a_connection_that_was_ended_is_not_used(mariadb: MariaDB, lonely: Database) -> None:
    await lonely.ping()
    for (number,) in mariadb.query("select id from information_schema.processlist where user = 'homestay'"):
        mariadb.query(f"kill {number}")
    for _ in range(3):
        assert await lonely.fetch(NUMBER, {"number": 7}) == [(7,)]


async def test_a_connection_that_rested_is_asked_whether_it_is_good(
    lonely: Database, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.mysql_driver.GOOD_FOR", 0.0)
    await lonely.fetch(NUMBER, {"number": 7})
    assert len(asked) == 2


async def test_who_listens_to_statements_hears_of_all(lonely: Database) -> None:
    heard: list[str] = []
    sa.event.listen(
        lonely.engine.sync_engine,
        "before_cursor_execute",
        lambda *arguments: heard.append(arguments[2]),
    )
    assert [tuple(row) for row in await lonely.fetch(NUMBER, {"number": 7})] == [(7,)]
    assert len(heard) == 1


async def test_a_statement_that_is_refused_is_a_bug_here_as_well(lonely: Database) -> None:
    wrong = Prepared("wrong", sa.select(sa.column("nothing")).select_from(sa.table("nowhere")))
    with pytest.raises(sa.exc.ProgrammingError):
        await lonely.fetch(wrong, {})
    assert await lonely.fetch(NUMBER, {"number": 7}) == [(7,)]
