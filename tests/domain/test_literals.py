"""Values in a statement's text: letter by letter what the driver writes, and read by the server as what they were."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from random import Random
from typing import Any, Final

import aiomysql
import pytest
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_NO_BACKSLASH_ESCAPES

from domain.literals import WRITERS
from domain.mysql_driver import GuardedConnection
from tests.domain.test_one_pass import opened
from tests.servers import MariaDB, require

VALUES: Final = 5000
LETTERS: Final = "aZ09 _%\\'\"`;-:\0\n\r\t\x1a\b\x7f\x80\xe9\u2028庭院🏡\udc80"


class Word(str):
    __slots__ = ()


class Number(IntEnum):
    ONE = 1


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    with require(MariaDB().start) as server:
        yield server


def text(random: Random) -> str:
    letters = random.choice((LETTERS, LETTERS[:12], LETTERS[20:24], "庭院🏡é"))
    return "".join(random.choices(letters, k=random.choice((0, 1, 3, 40, 300))))


def instant(random: Random) -> datetime:
    return datetime(
        random.choice((1, 999, 2026, 9999)),
        random.randint(1, 12),
        random.randint(1, 28),
        random.choice((0, 9, 23)),
        random.randrange(60),
        random.randrange(60),
        random.choice((0, 1, 1000, 123_000, 999_999)),
        tzinfo=random.choice((None, None, UTC, timezone(timedelta(hours=-8)))),
    )


def value(random: Random) -> Any:
    return random.choice(
        (
            text(random),
            text(random),
            Word(text(random)),
            random.choice((0, -1, 2**63 - 1, 2**64, -(2**63))),
            random.random() * 10**9,
            random.choice((True, False, None, Number.ONE)),
            instant(random),
            instant(random).date(),
            time(1, 2, 3, random.choice((0, 4))),
            timedelta(days=-1, microseconds=random.randrange(10**9)),
            Decimal("1.50"),
        )
    )


@pytest.mark.parametrize("backslashes", [True, False])
async def test_a_value_is_written_as_by_the_driver(*, backslashes: bool) -> None:
    random = Random(11)  # noqa: S311 -- nobody has to guess it
    ours, stock = GuardedConnection(charset="utf8mb4"), aiomysql.Connection(charset="utf8mb4")
    ours.server_status = stock.server_status = 0 if backslashes else SERVER_STATUS_NO_BACKSLASH_ESCAPES
    for _ in range(VALUES):
        given = value(random)
        assert ours.escape(given) == stock.escape(given), repr(given)
    assert {type(value(random)) for _ in range(500)} >= set(WRITERS)


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES"])
async def test_the_server_reads_what_was_meant(mariadb: MariaDB, mode: str) -> None:
    random = Random(12)  # noqa: S311 -- nobody has to guess it
    connection = await opened(mariadb, in_one_pass=True)
    await connection.query(f"set sql_mode = '{mode}'")
    for _ in range(100):
        given = [text(random).replace("\udc80", "") for _ in range(10)]
        assert await connection.select("select " + ", ".join(map(connection.escape, given))) == (tuple(given),)
    day = date(2026, 5, 20)
    assert await connection.select(f"select date {connection.escape(day)}") == ((day,),)
    connection.close()
