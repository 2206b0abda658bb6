"""What every test can ask for: real databases, a clock, and the order use cases over small fakes."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from domain.database import Database
from domain.engine import create_engine
from domain.order.closing import Closing
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.service import Orders
from domain.order.settling import Settling
from tests.clock import FrozenClock
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.servers import MariaDB, RabbitMQ, Redis, require, shared_directory
from workers import migration

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
# Noon in Shanghai, far from any midnight, month's end or change of clocks.
NOW: Final = datetime(2026, 5, 20, 4, 0, tzinfo=UTC)
PAY_WINDOW: Final = timedelta(minutes=20)

# Longest first.
LONGEST: Final = ("tests/chaos", "tests/workers/test_fault_matrix", "tests/life", "tests/system")
_FIGURE: Final = "figure"
# Seconds that a database has to answer where how fast it does is not what a test is about. The machine is busy with
# other tests, each with servers of its own.
_PATIENCE: Final = 30.0

_numbers = count()

# A run that is told to stop still closes its servers.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_configure() -> None:
    # Before the processes of a run in parallel start, so that they find it.
    shared_directory()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that a run in parallel does not end with one process busy, the others idle."""

    def place(item: pytest.Item) -> int:
        return next((place for place, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))

    items.sort(key=place)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines that are worth more than a dot: shown when all tests have run."""
    lines: list[str] = []
    yield lines
    # A property of the test comes along with its report, from whatever process ran it.
    request.node.user_properties += [(_FIGURE, line) for line in lines]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ends = [end for ends in terminalreporter.stats.values() for end in ends if getattr(end, "when", "") == "teardown"]
    for end in ends:
        for name, line in end.user_properties:
            if name == _FIGURE:
                terminalreporter.write_line(str(line))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    with require(MariaDB(flush_log_at_trx_commit=2).start) as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    with require(RabbitMQ().start, optional=True) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_url(mariadb: MariaDB) -> str:
    """A database with our tables; tests share it, and each finds its tables empty."""
    url = mariadb.create_database("shared")
    _migrate(url)
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "template.sqlite3"
    _migrate(f"sqlite+aiosqlite:///{file}")
    return file


def _migrate(url: str) -> None:
    async def migrate() -> None:
        opened = Database(create_engine(url, statement_deadline=None))
        await migration.upgrade(opened)
        await opened.close()

    # A loop of its own, in a thread of its own: whoever asks for the fixture may be running on one already.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate()).result()


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each kind, its tables not yet made."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}"
    server: MariaDB = request.getfixturevalue("mariadb")
    return server.create_database(f"own{next(_numbers)}")


@pytest.fixture(params=["sqlite", "mariadb"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of each kind with our tables, all empty."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.sqlite3")
        opened = Database(create_engine(f"sqlite+aiosqlite:///{file}"))
    else:
        opened = Database(create_engine(request.getfixturevalue("mariadb_url"), statement_deadline=_PATIENCE))
        async with opened.engine.begin() as connection:
            for table in SQLModel.metadata.sorted_tables:
                await connection.execute(sa.delete(table))
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def travel() -> FakeTravel:
    return FakeTravel()


@pytest.fixture
def payments() -> FakePayments:
    return FakePayments()


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def room(
    database: Database, clock: FrozenClock, travel: FakeTravel, payments: FakePayments, timer: FakeTimer
) -> OrderRoom:
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    return assemble(database, clock, rules, travel=travel, payments=payments, timer=timer)


@pytest.fixture
def orders(room: OrderRoom) -> Orders:
    return room.orders


@pytest.fixture
def closing(room: OrderRoom) -> Closing:
    return room.closing


@pytest.fixture
def settling(room: OrderRoom) -> Settling:
    return room.settling
