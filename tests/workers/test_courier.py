"""News of payments on their way to the broker, and a broker that hangs, refuses or is gone."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from dramatiq.brokers.stub import StubBroker

from domain import outbox as letters
from domain.database import Database
from domain.errors import InvalidInput
from domain.outbox import LetterState, Outbox
from domain.payment.ports import STATUS_CHANGED
from tests.conftest import NOW
from tests.outbox.letters import column
from tests.servers import Redis, require
from tests.workers.brokers import RecordingBroker
from workers import actors
from workers import relay as relay_module
from workers.clock import SystemClock
from workers.courier import Courier
from workers.relay import Relay
from workers.sorted_set_broker import SortedSetBroker, connect

only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
NEWS = {"orderSn": "HSO1", "payStatus": 1}


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
async def courier(broker: RecordingBroker) -> AsyncIterator[Courier]:
    courier = Courier(broker)
    await courier.start()
    yield courier
    await courier.stop()


def letter(payload: dict[str, Any]) -> letters.Letter:
    return letters.Letter(
        id=1, topic=STATUS_CHANGED, subject="HSO1", payload=payload, created_at=NOW, due_at=NOW, attempts=1
    )


async def test_news_of_a_payment_are_sent_at_once_under_the_existing_names(
    courier: Courier, broker: RecordingBroker
) -> None:
    await courier.payment_status_changed(letter(NEWS))
    assert broker.sent == [("payment.status_changed", (NEWS,), None)]


async def test_they_have_a_queue_of_their_own() -> None:
    assert actors.close_unpaid.queue_name != actors.payment_status_changed.queue_name


@pytest.mark.parametrize("payload", [{}, {"orderSn": "HSO1"}, {"payStatus": 1}, {"orderSn": 1, "payStatus": "1"}])
async def test_what_is_no_news_is_never_sent(
    courier: Courier, broker: RecordingBroker, payload: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        await courier.payment_status_changed(letter(payload))
    assert broker.sent == []


async def test_what_the_broker_does_not_take_has_not_arrived(courier: Courier, broker: RecordingBroker) -> None:
    broker.fails = True
    with pytest.raises(ConnectionError):
        await courier.payment_status_changed(letter(NEWS))


async def worst_lag(seconds: float) -> float:
    """The longest that the loop kept a task waiting beyond its time."""
    worst, end = 0.0, time.perf_counter() + seconds
    while (before := time.perf_counter()) < end:
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - before - 0.001)
    return worst


async def test_a_broker_that_hangs_holds_up_nobody_but_the_letter(courier: Courier, broker: RecordingBroker) -> None:
    broker.open.clear()
    sending = asyncio.create_task(courier.payment_status_changed(letter(NEWS)))
    # Where the loop waited for the broker, nobody would ever let it go on.
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert not sending.done()
    broker.open.set()
    await sending
    assert len(broker.sent) == 1


@only_sqlite
@pytest.mark.parametrize("state", ["hangs", "gone"])
async def test_news_that_redis_did_not_take_come_to_it_when_it_is_back(
    database: Database, redis_server: Redis, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Redis' client is more patient than this test.
    monkeypatch.setattr(relay_module, "DELIVER_WITHIN", 2.5)
    assert isinstance(actors.broker, StubBroker)  # the messages' own broker is not the one they go to here
    broker = SortedSetBroker(client=connect(redis_server.url), middleware=[])
    queue = f"dramatiq:{actors.payment_status_changed.queue_name}"
    clock = SystemClock()
    courier = Courier(broker)
    relay = Relay(Outbox(database, clock), {STATUS_CHANGED: courier.payment_status_changed}, interval=0.1)
    await relay.start()

    (redis_server.pause if state == "hangs" else redis_server.kill)()
    news = {f"HSO{number}": {"orderSn": f"HSO{number}", "payStatus": 1} for number in range(3)}
    await database.write(lambda connection: letters.add(connection, STATUS_CHANGED, news, clock.sql_now()))
    relay.wake()
    # A blocked call would hold the loop for the two seconds of its timeout; the rest is what a busy machine does.
    assert await worst_lag(4.0) < 1.5
    assert set((await column(database, "state")).values()) == {LetterState.WAITING}
    assert any((await column(database, "error")).values())

    await asyncio.to_thread(redis_server.resume if state == "hangs" else redis_server.restart)
    deadline = time.monotonic() + 40
    while set((await column(database, "state")).values()) != {LetterState.DELIVERED}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    # Sent more than once, perhaps; never less.
    assert broker.client.llen(queue) >= len(news)
    await relay.stop()
    await courier.stop()
    broker.client.close()
