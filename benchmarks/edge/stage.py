"""What every contender stands on: a database that flushes at each commit, a Redis that keeps its log, the upstreams."""

import asyncio
import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.edge.rows import Rows
from domain.database import Database
from domain.engine import create_engine
from tests.servers import MariaDB, Process, Redis, free_port
from workers import migration

ROOT: Final = Path(__file__).parents[2]
KEY: Final = "the-key-of-a-benchmark-which-opens-nothing-else"


class Stage:
    """Servers and rows, and the environment that tells programs where they are.

    Args:
        orders: how many are there before anything is measured.
        guests: whose they are.
    """

    def __init__(self, *, orders: int, guests: int) -> None:
        self._orders = orders
        self.guests = guests
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
            "HOMESTAY_TRAVEL_ADDR": f"127.0.0.1:{free_port()}",
            "HOMESTAY_PAYMENT_ADDR": f"127.0.0.1:{free_port()}",
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
        self.upstreams = self._stack.enter_context(
            Process(
                [sys.executable, "-m", "benchmarks.edge.upstreams"],
                env=self.environment,
                cwd=ROOT,
                ready=re.compile("upstreams ready"),
            )
        )
        self.upstreams.start()
        self.upstreams.wait_ready(600)


async def _migrate(url: str) -> None:
    database = Database(create_engine(url, statement_deadline=None))
    try:
        await migration.upgrade(database)
    finally:
        await database.close()
