"""A database or a Redis that hangs for five seconds, with guests at the door all the time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import sqlalchemy as sa

from bff.app import create_app
from domain.database import Database
from domain.engine import POOL_SIZE, create_engine
from domain.order.ports import FairUse, NoLimit
from domain.order.pricing import Rules
from domain.order.room import assemble
from tests.bff import documents
from tests.bff.client import Client
from tests.bff.documents import stays
from tests.bff.edges import edge_of
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.servers import MariaDB, Redis, Server, require
from workers import migration
from workers.fair_use import open_fair_use

FROZEN_FOR: Final = 5.0
# Seconds, from the figures that we promise.
ENDS_WITHIN: Final = 4.0
WHOLE_WITHIN: Final = 1.0
# What a busy machine adds.
SLACK: Final = 3.0
# Many times as many as there are connections, and a list asks the database twice at once.
GUESTS: Final = 64
# Seconds between two things that a guest does: what they wait for is to be the server, not each other. While it is
# frozen, all of them wait at once.
PAUSE: Final = 4.0


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A server that nobody else's tests are using."""
    with require(MariaDB(flush_log_at_trx_commit=2).start) as server:
        yield server


@dataclass
class Door:
    """Guests who come again and again, and how long each of them had to wait."""

    client: Client
    guests: int
    waits: list[tuple[float, float, bool]] = field(default_factory=list)
    closed: bool = False
    before: float = 0.0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as guests:
            for number in range(self.guests):
                guests.create_task(self._guest(number))

    async def _guest(self, number: int) -> None:
        await asyncio.sleep(PAUSE * number / self.guests)
        homestay = str(number + 1)
        wanted = iter(stays(2000))
        while not self.closed:
            for query, variables in (
                (documents.LIST, {"first": 10}),
                (documents.PLACE, {"input": {**next(wanted), "homestayId": homestay}}),
            ):
                started = time.monotonic()
                answer = await self.client.ask(query, variables, user=100 + number)
                ended = time.monotonic()
                self.waits.append((ended, ended - started, _is_whole(answer)))
                await asyncio.sleep(PAUSE)

    def longest(self) -> float:
        return max(wait for _, wait, _ in self.waits)

    def failed_last(self) -> float:
        """When somebody was turned away for the last time."""
        return max((ended for ended, _, whole in self.waits if not whole), default=0.0)


def _is_whole(answer: dict[str, Any]) -> bool:
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"UPSTREAM_UNAVAILABLE"}
    placed = (answer.get("data") or {}).get("createHomestayOrder")
    assert not placed or placed["userErrors"] == [], placed
    return not codes


async def edge(stack: AsyncExitStack, database: Database, clock: FrozenClock, fair_use: FairUse, guests: int) -> Door:
    travel = FakeTravel()
    for number in range(GUESTS):
        travel.offer(create_homestay(id=number + 1))
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW, max_unpaid=None)
    room = assemble(
        database, clock, rules, travel=travel, payments=FakePayments(), timer=FakeTimer(), fair_use=fair_use
    )
    client = Client(create_app(edge=edge_of(room), database=database))
    await stack.enter_async_context(client.http)
    return Door(client, guests)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def freeze(server: Server, door: Door) -> float:
    """Freezes a server under traffic and returns when it thawed."""
    traffic = asyncio.create_task(door.run())
    # What is done for the first time takes longer.
    await asyncio.sleep(1.5 * PAUSE)
    door.waits.clear()
    await asyncio.sleep(PAUSE)
    door.before = door.longest()
    door.waits.clear()
    server.pause()
    try:
        await asyncio.sleep(FROZEN_FOR)
    finally:
        server.resume()
    thawed = time.monotonic()
    await asyncio.sleep(3)
    door.closed = True
    await traffic
    return thawed


async def test_a_frozen_database_is_told_of_in_time_and_used_again_at_once(
    mariadb: MariaDB, clock: FrozenClock, stack: AsyncExitStack, figures: list[str]
) -> None:
    database = Database(create_engine(mariadb.url))
    stack.push_async_callback(database.close)
    await migration.upgrade(database)
    door = await edge(stack, database, clock, NoLimit(), GUESTS)
    thawed = await freeze(mariadb, door)
    longest, whole = door.longest(), door.failed_last() - thawed
    figures.append(
        f"database frozen {FROZEN_FOR:g} s: {GUESTS} guests waited {longest:.2f} s at most, "
        f"{door.before:.2f} s before, whole again after {whole:.2f} s"
    )
    assert door.failed_last() > 0
    assert longest < ENDS_WITHIN + SLACK
    assert whole < WHOLE_WITHIN + SLACK
    # All of the pool is there again.
    started = time.monotonic()
    await asyncio.gather(
        *(database.read(lambda connection: connection.execute(sa.text("select sleep(0.2)"))) for _ in range(POOL_SIZE))
    )
    assert time.monotonic() - started < 0.2 + SLACK


async def test_a_frozen_redis_is_not_felt(
    mariadb: MariaDB, redis_to_freeze: Redis, clock: FrozenClock, stack: AsyncExitStack, figures: list[str]
) -> None:
    database = Database(create_engine(mariadb.create_database("frozen_redis")))
    stack.push_async_callback(database.close)
    await migration.upgrade(database)
    fair_use = await stack.enter_async_context(open_fair_use(10_000, redis_to_freeze.url))
    door = await edge(stack, database, clock, fair_use, GUESTS)
    await freeze(redis_to_freeze, door)
    figures.append(
        f"Redis frozen {FROZEN_FOR:g} s: {GUESTS} guests waited {door.longest():.2f} s at most, "
        f"{door.before:.2f} s before, "
        f"{sum(not whole for *_, whole in door.waits)} of {len(door.waits)} turned away"
    )
    assert door.failed_last() == 0
    assert door.longest() < ENDS_WITHIN + SLACK


@pytest.fixture
def redis_to_freeze() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server
