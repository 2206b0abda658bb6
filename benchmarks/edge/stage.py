"""What every contender stands on: a database that flushes at each commit, a Redis that keeps its log, the upstreams."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.edge.rows import Rows
from benchmarks.edge.upstreams import SINGLE_QUESTIONS
from domain.database import Database
from domain.engine import create_engine
from tests.servers import MariaDB, Process, Redis, free_port
from workers import migration

# Seconds for the database to write what it holds, and pages that need not be: it always has some.
SETTLED_WITHIN: Final = 120
FEW_PAGES: Final = 50
# Has the database write it now, and as fast as the disk can.
_EAGER: Final = {"innodb_io_capacity_max": 40_000, "innodb_io_capacity": 20_000, "innodb_max_dirty_pages_pct": 0}
ROOT: Final = Path(__file__).parents[2]
KEY: Final = "the-key-of-a-benchmark-which-opens-nothing-else"


class Stage:
    """Servers and rows, and the environment that tells programs where they are.

    Args:
        orders: how many are there before anything is measured.
        guests: whose they are.
        more: adds other rows before the services learn what was paid.
    """

    def __init__(self, *, orders: int, guests: int, more: "Callable[[Stage], None]" = lambda _: None) -> None:
        self._more = more
        self._orders = orders
        self.guests = guests
        self._urls: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _build(self) -> None:
        # Room for all rows, and for an hour of writes: the disk is to take commits, and nothing else.
        server = MariaDB(flush_log_at_trx_commit=1, memory="2G", log_size="512M")
        self.mariadb = self._stack.enter_context(server.start())
        self.redis = self._stack.enter_context(Redis().start())
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "NODE_ENV": "production",
            "HOMESTAY_ENV": "production",
            "HOMESTAY_DATABASE_URL": self.mariadb.url,
            "HOMESTAY_BROKER_URL": self.redis.url,
            "HOMESTAY_JWT_SECRET": KEY,
            # Limits that count and never refuse.
            "HOMESTAY_CREATES_PER_MINUTE": "10000",
            "HOMESTAY_MAX_UNPAID_ORDERS": "10000",
            "HOMESTAY_VALUES_PER_MINUTE": "1000000000",
        }
        asyncio.run(_migrate(self.mariadb.url))
        self.rows = Rows(self.mariadb)
        self.rows.homestays()
        self.rows.grow(self._orders, guests=self.guests)
        self.rows.analyze()
        self._more(self)
        self._settle()
        # Not before: many rows take long to make, and a port that is free by then need not be any more.
        self.environment |= {
            f"HOMESTAY_{service}_ADDR": f"127.0.0.1:{free_port()}" for service in ("TRAVEL", "PAYMENT")
        }
        self.upstreams = self._stack.enter_context(
            Process(
                [sys.executable, "-m", "benchmarks.edge.upstreams"],
                env=self.environment | {SINGLE_QUESTIONS: os.environ.get(SINGLE_QUESTIONS, "")},
                cwd=ROOT,
                ready=re.compile("upstreams ready"),
            )
        )
        self.upstreams.start()
        self.upstreams.wait_ready(600)

    def more_rows(self, database: str) -> Rows:
        """One more database on the same server, with its homestays."""
        url = self.mariadb.create_database(database)
        self._urls[database] = url
        asyncio.run(_migrate(url))
        rows = Rows(self.mariadb, database)
        rows.homestays()
        return rows

    def url_of(self, rows: Rows) -> str:
        """Where these rows are."""
        return self._urls[rows.database]

    @contextmanager
    def mariadb_in_haste(self) -> Iterator[None]:
        """Rows that are only made to be measured need not be on the disk at each commit; what is measured must."""
        self.mariadb.query("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        try:
            yield
        finally:
            self.mariadb.query("SET GLOBAL innodb_flush_log_at_trx_commit = 1")

    def _settle(self) -> None:
        """Waits until the database has written down what it holds: else that would be its work while it is asked."""
        for variable, value in _EAGER.items():
            self.mariadb.query(f"SET GLOBAL {variable} = {value}")
        deadline = time.monotonic() + SETTLED_WITHIN
        while time.monotonic() < deadline:
            ((_, dirty),) = self.mariadb.query("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
            print(f"\r{dirty!s:>9} pages not written yet", end="", file=sys.stderr, flush=True)  # noqa: T201
            if int(str(dirty)) < FEW_PAGES:
                break
            time.sleep(0.5)
        print(file=sys.stderr)  # noqa: T201
        for variable in reversed(_EAGER):
            self.mariadb.query(f"SET GLOBAL {variable} = DEFAULT")


async def _migrate(url: str) -> None:
    database = Database(create_engine(url, statement_deadline=None))
    try:
        await migration.upgrade(database)
    finally:
        await database.close()
