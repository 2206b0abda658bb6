"""Relays that stop or die, and databases that go away: no letter is lost by it."""

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from domain.database import Database
from domain.engine import create_engine
from domain.outbox import LEASE, Letter, LetterState, Outbox
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.outbox.letters import TOPIC, column, stored, write
from tests.servers import MariaDB, require
from tests.workers.receivers import SOON, Receiver, running, until, until_all_are
from workers import migration
from workers import relay as relay_module
from workers.clock import SystemClock
from workers.relay import Relay

WAITING, DELIVERED, DEAD = LetterState


@pytest.fixture
def outbox(database: Database, clock: FrozenClock) -> Outbox:
    return Outbox(database, clock)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


async def test_a_letter_whose_relay_died_before_it_was_marked_comes_again(
    database: Database, clock: FrozenClock, receiver: Receiver
) -> None:
    class Dies(Outbox):
        async def delivered(self, *letters: Letter) -> None:
            raise ConnectionError(str(letters))

    await write(database, clock, "HSO1")
    async with running(Relay(Dies(database, clock), {TOPIC: receiver}, interval=SOON)):
        await until(lambda: receiver.came)
    async with running(Relay(Outbox(database, clock), {TOPIC: receiver}, interval=SOON)):
        await asyncio.sleep(0.3)
        assert receiver.came == ["HSO1"]
        clock.advance(LEASE)
        await until_all_are(database, DELIVERED)
    assert receiver.came == ["HSO1"] * 2
    assert await column(database, "attempts") == {"HSO1": 2}


async def test_a_letter_whose_relay_died_while_it_was_delivered_comes_again(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, "HSO1")
    receiver.open.clear()
    dies = Relay(outbox, {TOPIC: receiver}, interval=SOON)
    await dies.start()
    await until(lambda: receiver.came)
    for task in dies._tasks:
        task.cancel()
    await asyncio.wait(dies._tasks)
    receiver.open.set()
    clock.advance(LEASE)
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, DELIVERED)
    assert receiver.came == ["HSO1"] * 2


async def test_a_stop_finishes_what_is_under_way(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, "HSO1")
    receiver.delay = 0.3
    relay = Relay(outbox, {TOPIC: receiver}, interval=SOON)
    await relay.start()
    await until(lambda: receiver.came)
    await relay.stop()
    assert await column(database, "state") == {"HSO1": DELIVERED}
    await write(database, clock, "HSO2")
    await asyncio.sleep(0.2)
    assert receiver.came == ["HSO1"]


async def test_a_stop_leaves_what_hangs_and_it_comes_again(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "FINISH_WITHIN", 0.3)
    await write(database, clock, "HSO1")
    receiver.open.clear()
    relay = Relay(outbox, {TOPIC: receiver}, interval=SOON)
    await relay.start()
    await until(lambda: receiver.came)
    started = time.perf_counter()
    await relay.stop()
    # What hangs would do so for ever.
    assert time.perf_counter() - started < 30
    assert receiver.at_once == 0
    (row,) = await stored(database)
    assert (row["state"], row["due_at"], row["error"]) == (WAITING, NOW + LEASE, "")
    receiver.open.set()
    clock.advance(LEASE)
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, DELIVERED)


async def test_a_relay_that_never_started_stops(outbox: Outbox, receiver: Receiver) -> None:
    await Relay(outbox, {TOPIC: receiver}).stop()


async def test_a_mistake_of_ours_is_said_once_with_its_trace(
    database: Database, clock: FrozenClock, receiver: Receiver
) -> None:
    class Broken(Outbox):
        async def take(self, *_: Any) -> list[Letter]:
            raise ZeroDivisionError

    with capture_logs() as logs:
        async with running(Relay(Broken(database, clock), {TOPIC: receiver}, interval=0.01)):
            await asyncio.sleep(0.2)
    assert [(line["log_level"], line["exc_info"]) for line in logs] == [("warning", True)]


async def test_a_database_that_is_away_is_said_once_and_then_it_goes_on(receiver: Receiver) -> None:
    clock = SystemClock()
    with require(MariaDB(flush_log_at_trx_commit=2).start) as server:
        database = Database(create_engine(server.url))
        await migration.upgrade(database)
        relay = Relay(Outbox(database, clock), {TOPIC: receiver}, interval=SOON)
        with capture_logs() as logs:
            async with running(relay):
                await write(database, clock, "HSO1")
                await until_all_are(database, DELIVERED)
                await asyncio.to_thread(server.kill)
                await until(lambda: logs)
                await asyncio.sleep(10 * SOON)
                await asyncio.to_thread(server.restart)
                await write(database, clock, "HSO2")
                await until_all_are(database, DELIVERED)
        await database.close()
    assert receiver.came == ["HSO1", "HSO2"]
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("letters can't be relayed; trying on", "warning"),
        ("letters are relayed again", "info"),
    ]
    assert not logs[0]["exc_info"]
