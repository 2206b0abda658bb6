"""Answers decoded in one pass: the same as by the driver, whatever comes, and in whatever pieces it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any, Final

import aiomysql
import pytest
import sqlalchemy as sa
from pymysql.err import OperationalError

from domain.mysql_driver import GuardedConnection, connect
from domain.one_pass import OnePassConnection
from tests.servers import MariaDB, require

ANSWERS: Final = 400
# One of each sort of value that a column can have, and of what a server sends of it.
VALUES: Final = (
    "null",
    "''",
    "'Hof ✿ 庭院 🏡'",
    "'-1'",
    "x'00ff80'",
    "cast('a' as binary(3))",
    "0",
    "-9223372036854775808",
    "18446744073709551615",
    "1.50",
    "cast(1e300 as double)",
    "cast(0.1 as float)",
    "date '2026-05-20'",
    "date '0001-01-01'",
    "cast('0000-00-00' as date)",
    "timestamp '2026-05-20 04:00:00'",
    "timestamp '2026-05-20 04:00:00.123'",
    "timestamp '2026-05-20 04:00:00.120400'",
    "cast('0000-00-00 00:00:00' as datetime)",
    "time '-838:59:59'",
    "cast('12:30:00.5' as time(3))",
    "year(now())",
    "b'101'",
    "true",
    "json_object('a', 1)",
    "json_compact('[1, 2]')",
    "st_geomfromtext('POINT(1 2)')",
    "repeat('x', 250)",
    "repeat('x', 251)",
    "repeat('z', 3000)",
    "repeat('ü', 40000)",
    "repeat('y', 70000)",
    "now() - now()",
)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    with require(MariaDB().start) as server:
        yield server


async def opened(mariadb: MariaDB, *, in_one_pass: bool) -> GuardedConnection:
    url = sa.make_url(mariadb.url)
    made = await connect(
        statement_deadline=5.0,
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        db=url.database,
        charset="utf8mb4",
    )
    made.one_pass = in_one_pass
    return made


@pytest.fixture
async def ours(mariadb: MariaDB) -> AsyncIterator[GuardedConnection]:
    connection = await opened(mariadb, in_one_pass=True)
    yield connection
    connection.close()


@pytest.fixture
async def stock(mariadb: MariaDB) -> AsyncIterator[GuardedConnection]:
    connection = await opened(mariadb, in_one_pass=False)
    yield connection
    connection.close()


class Cursor(aiomysql.Cursor):  # type: ignore[misc] # the driver declares no types
    """SQLAlchemy's: it asks for no warnings."""

    async def _show_warnings(self, conn: object) -> None:
        pass


async def told(connection: GuardedConnection, sql: str) -> object:
    """All that a cursor tells of a statement."""
    async with connection.cursor(Cursor) as cursor:
        answers: list[Any] = []
        try:
            await cursor.execute(sql)
            while True:
                rows = await cursor.fetchall()
                types = [[type(value) for value in row] for row in rows]
                answers.append((cursor.description, rows, types, cursor.rowcount, cursor.lastrowid))
                answers.append([getattr(connection._result, name, None) for name in ("warning_count", "message")])
                if not await cursor.nextset():
                    return answers
        except aiomysql.MySQLError as error:
            return answers, type(error), error.args


def fed_in_pieces(monkeypatch: pytest.MonkeyPatch, size: Callable[[], int]) -> None:
    """Has streams get what comes in pieces of these sizes, the next when the loop comes round again."""
    sound = asyncio.StreamReader.feed_data
    waiting: dict[asyncio.StreamReader, bytearray] = {}

    def drip(reader: asyncio.StreamReader) -> None:
        left, now = waiting[reader], size()
        sound(reader, bytes(left[:now]))
        del left[:now]
        if left:
            asyncio.get_running_loop().call_soon(drip, reader)

    def feed(reader: asyncio.StreamReader, data: bytes) -> None:
        left = waiting.setdefault(reader, bytearray())
        is_first = not left
        left += data
        if is_first:
            drip(reader)

    monkeypatch.setattr(asyncio.StreamReader, "feed_data", feed)


def statement(random: Random) -> str:
    columns = random.choices(VALUES, k=random.choice((1, 2, 5, 31)))
    rows = random.choice((0, 1, 2, 21) if any("repeat" in column for column in columns) else (0, 1, 2, 21, 300))
    listed = ", ".join(f"{column} as c{number}" for number, column in enumerate(columns))
    return f"select {listed} from seq_1_to_{max(1, rows)} where {int(rows > 0)}"  # noqa: S608 -- our own words


# What is answered without rows: with numbers of all sizes, with warnings, in a transaction, and with a text.
SUCCESSES: Final = (
    "begin",
    "commit",
    "rollback",
    "set @a = 1",
    "do 1",
    "do cast('x' as unsigned)",
    "insert into kept (number) values (default)",
    "insert into kept values (last_insert_id(260), 'a') on duplicate key update text = concat(text, 'b')",
    "insert into kept values (last_insert_id(70000), 'a') on duplicate key update text = concat(text, 'b')",
    "insert into kept values (last_insert_id(20000000), 'a') on duplicate key update text = concat(text, 'b')",
    "insert into kept (text) select 'c' from seq_1_to_300",
    "update kept set text = left(concat(text, 'd'), 5)",
    "delete from kept where text = 'c'",
)


def several(random: Random, known: list[str]) -> str:
    """Statements in one text, one of which may fail."""
    texts = random.choices((*SUCCESSES, *known[-3:]), k=random.choice((1, 2, 5)))
    if random.random() < 0.2:
        texts.insert(random.randrange(len(texts) + 1), "select nothing from nowhere")
    return ";".join(texts)


async def test_what_comes_is_what_the_driver_makes_of_it(
    ours: GuardedConnection, stock: GuardedConnection, monkeypatch: pytest.MonkeyPatch, figures: list[str]
) -> None:
    random = Random(5)  # noqa: S311 -- nobody has to guess it
    passed = passed_oks = 0
    sound, sound_ok = OnePassConnection._read_rows, OnePassConnection._read_ok

    async def counted(connection: OnePassConnection, head: Any, ahead: Any) -> Any:
        nonlocal passed
        result = await sound(connection, head, ahead)
        passed += result is not None
        return result

    async def counted_ok(connection: OnePassConnection, ahead: Any) -> Any:
        nonlocal passed_oks
        result = await sound_ok(connection, ahead)
        passed_oks += result is not None
        return result

    monkeypatch.setattr(OnePassConnection, "_read_rows", counted)
    monkeypatch.setattr(OnePassConnection, "_read_ok", counted_ok)
    small = 0

    def size() -> int:
        nonlocal small
        small -= 1
        return random.choice((1, 3, 50, 300)) if small >= 0 else 64 * 1024

    fed_in_pieces(monkeypatch, size)
    for connection in (ours, stock):
        # Each has its own.
        await connection.query("create temporary table kept (number bigint primary key auto_increment, text text)")
    known: list[str] = []
    for _ in range(ANSWERS):
        # Columns that came before are what is decoded in one pass.
        sql = random.choice(known) if known and random.random() < 0.6 else statement(random)
        known = [*known[-20:], sql]
        if random.random() < 0.3:
            sql = several(random, known)
        small = random.choice((0, 20, 200))
        here = await told(ours, sql)
        small = 0
        assert here == await told(stock, sql), sql
        assert ours._next_seq_id == stock._next_seq_id
        assert ours.server_status == stock.server_status
        assert not ours._reader._buffer
    assert passed > ANSWERS / 4
    assert passed_oks > ANSWERS / 8
    figures.append(
        f"one pass: {passed} of {ANSWERS} answers and {passed_oks} successes read in one pass, all as by the driver"
    )


async def test_what_is_usual_needs_no_driver(ours: GuardedConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "select seq, null, '', repeat('x', 250), repeat('x', 251), repeat('z', 3000), repeat('z', 65000)"
    sql += " from seq_1_to_3"
    first = await ours.select(sql)

    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(GuardedConnection, "_read_packet", never)
    assert await ours.select(sql) == first
    assert [len(value or "") for value in first[0][1:]] == [0, 0, 250, 251, 3000, 65000]


@pytest.mark.parametrize(
    "sql",
    [
        "select nothing from nowhere",
        "select 1 from (select 1 union select 2) t where 1 = (select 1 union select 2)",
        "set @a = 1",
        "select repeat('x', 3 * 1024 * 1024)",
        "select seq, repeat('x', 2000) from seq_1_to_4000",
        "select cast('x' as unsigned)",
        "select sleep(0.05)",
    ],
)
async def test_what_is_unusual_is_left_to_the_driver(
    ours: GuardedConnection, stock: GuardedConnection, sql: str
) -> None:
    for _ in range(3):
        assert await told(ours, sql) == await told(stock, sql)
    assert await told(ours, "select 7") == await told(stock, "select 7")


async def test_a_packet_of_more_than_16_megabytes_is_read(mariadb: MariaDB) -> None:
    mariadb.query("set global max_allowed_packet = 64 * 1024 * 1024")
    connection = await opened(mariadb, in_one_pass=True)
    for _ in range(2):
        ((text, seven),) = await connection.select("select repeat('x', 20 * 1024 * 1024) as a, 7 as b")
        assert (text, seven) == ("x" * (20 * 1024 * 1024), 7)
    connection.close()


async def test_a_row_that_fails_after_others_is_an_error(ours: GuardedConnection, stock: GuardedConnection) -> None:
    # The subquery has two rows for the third row only, when two rows were sent already.
    sql = "select seq, (select s.seq from seq_1_to_2 s where t.seq > 2 or s.seq = 1) from seq_1_to_5 t"
    for _ in range(3):
        assert await told(ours, sql) == await told(stock, sql)


async def test_who_gives_up_leaves_no_answer_behind(mariadb: MariaDB) -> None:
    for number in range(10):
        connection = await opened(mariadb, in_one_pass=True)
        await connection.select("select seq from seq_1_to_10")
        task = asyncio.create_task(connection.select("select seq from seq_1_to_200000"))
        await asyncio.sleep(number / 500)
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            with pytest.raises(aiomysql.InterfaceError):
                await connection.select("select 1")
            assert connection._came is None
        else:
            assert len(task.result()) == 200_000
            assert await connection.select("select 1") == ((1,),)
        connection.close()


async def test_a_server_that_hangs_up_in_the_middle_is_a_lost_connection(
    ours: GuardedConnection, mariadb: MariaDB
) -> None:
    await ours.select("select seq, sleep(0) from seq_1_to_10")
    task = asyncio.create_task(ours.select("select sleep(3)"))
    await asyncio.sleep(0.1)
    killer = await opened(mariadb, in_one_pass=True)
    await killer.query(f"kill connection {ours.thread_id()}")
    with pytest.raises(OperationalError):
        await task
    killer.close()


async def test_it_can_be_turned_off(stock: GuardedConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(OnePassConnection, "_read_usual", never)
    assert await stock.select("select 1") == ((1,),)
