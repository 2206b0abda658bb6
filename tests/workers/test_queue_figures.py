"""Figures of the broker's queues: of each kind of broker, and of one that is away or hangs."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from structlog.testing import capture_logs

from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import any_database
from tests.bff.operators import Operator, app_of, bury, message, queues_here, rows, section, words
from tests.bff.test_metrics import scrape_of
from tests.servers import RabbitMQ, Redis, Server, free_port, require
from workers import broker as brokers
from workers import health
from workers.broker import CLOSING_QUEUE, PAYMENT_QUEUE
from workers.clock import SystemClock
from workers.metrics import Metrics
from workers.queue_depths import QUEUES
from workers.queue_figures import ASKED_WITHIN, DEAD, HELP, MESSAGES, OLDEST, UP, QueueFigures
from workers.settings import Settings
from workers.sorted_set_broker import SortedSetBroker, connect
from workers.sweeper import Sweeper
from workers.watch_server import NotWell

Told = dict[tuple[str, ...], float]


async def told(broker: dramatiq.Broker) -> Told:
    """What is told of a broker, by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in await QueueFigures(broker).gather()
        for sample in metric.samples
    }


def built(url: str) -> dramatiq.Broker:
    broker = brokers.build(Settings(broker_url=url))
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


@pytest.fixture
def in_rabbitmq(rabbitmq: RabbitMQ) -> Iterator[dramatiq.Broker]:
    broker = built(rabbitmq.url)
    yield broker
    broker.flush_all()
    broker.close()


async def test_what_redis_holds_is_told(redis: Redis) -> None:
    broker = built(redis.url)
    assert isinstance(broker, SortedSetBroker)
    broker.enqueue(message("HSO1", sent=7200))
    broker.enqueue(message("HSO2"))
    broker.enqueue(message("HSO3"), delay=600_000)
    broker.enqueue(message("HSO4", queue=PAYMENT_QUEUE))
    broker.queue(PAYMENT_QUEUE).take(1)
    bury(broker, message("HSO5"))
    found = await told(broker)
    assert found.pop((OLDEST, CLOSING_QUEUE)) == pytest.approx(7200, abs=5)
    assert found == {
        (UP,): 1,
        (MESSAGES, CLOSING_QUEUE, "ready"): 2,
        (MESSAGES, CLOSING_QUEUE, "delayed"): 1,
        (MESSAGES, CLOSING_QUEUE, "taken"): 0,
        (MESSAGES, PAYMENT_QUEUE, "ready"): 0,
        (MESSAGES, PAYMENT_QUEUE, "delayed"): 0,
        (MESSAGES, PAYMENT_QUEUE, "taken"): 1,
        (OLDEST, PAYMENT_QUEUE): 0,
        (DEAD, CLOSING_QUEUE): 1,
        (DEAD, PAYMENT_QUEUE): 0,
    }
    redis.wipe()


async def test_queues_inside_the_process_tell_what_they_know() -> None:
    broker = queues_here()
    broker.enqueue(message("HSO1"))
    found = await told(broker)
    assert (found[UP,], found[MESSAGES, CLOSING_QUEUE, "ready"], found[DEAD, CLOSING_QUEUE]) == (1, 1, 0)
    # How old it is they don't say, and that is not told as nothing.
    assert (OLDEST, CLOSING_QUEUE) not in found
    assert found[OLDEST, PAYMENT_QUEUE] == 0


async def test_what_no_worker_of_rabbitmq_holds_is_told(in_rabbitmq: dramatiq.Broker) -> None:
    empty = await told(in_rabbitmq)
    # Before anything was sent there are no queues, and to look makes none.
    assert {value for name, value in empty.items() if name != (UP,)} == {0}
    assert await told(in_rabbitmq) == empty
    in_rabbitmq.enqueue(message("HSO1"))
    in_rabbitmq.enqueue(message("HSO2"))
    in_rabbitmq.enqueue(message("HSO3"), delay=600_000)
    consumer = in_rabbitmq.consume(CLOSING_QUEUE, prefetch=1, timeout=2000)
    taken = next(consumer)
    assert taken is not None
    consumer.nack(taken)
    consumer.close()
    found = await until(in_rabbitmq, (DEAD, CLOSING_QUEUE), 1)
    assert found == {
        (UP,): 1,
        (MESSAGES, CLOSING_QUEUE, "ready"): 1,
        (MESSAGES, CLOSING_QUEUE, "delayed"): 1,
        (MESSAGES, PAYMENT_QUEUE, "ready"): 0,
        (MESSAGES, PAYMENT_QUEUE, "delayed"): 0,
        (OLDEST, PAYMENT_QUEUE): 0,
        (DEAD, CLOSING_QUEUE): 1,
        (DEAD, PAYMENT_QUEUE): 0,
    }


async def until(broker: dramatiq.Broker, name: tuple[str, ...], value: float) -> Told:
    """What is told when one of the figures is what it should be: RabbitMQ buries in its own time."""
    async with asyncio.timeout(10):
        while (found := await told(broker))[name] != value:  # noqa: ASYNC110 -- a server tells nobody
            await asyncio.sleep(0.05)
    return found


@any_database
async def test_the_operators_see_what_rabbitmq_holds(room: OrderRoom, in_rabbitmq: dramatiq.Broker) -> None:
    in_rabbitmq.enqueue(message("HSO1"))
    operator = Operator(app_of(room, broker=in_rabbitmq))
    async with operator.http:
        await operator.sign_in()
        page = await operator.see()
    closing, payment = rows(page, "queues")
    assert closing[:5] == [CLOSING_QUEUE, "1", "0", "\N{EN DASH}", "0"]
    assert payment[:5] == [PAYMENT_QUEUE, "0", "0", "\N{EN DASH}", "0"]


@any_database
async def test_a_rabbitmq_that_is_away_is_told_and_the_rest_still_is(room: OrderRoom) -> None:
    broker = built(f"amqp://guest:secret@127.0.0.1:{free_port()}/%2F")
    operator = Operator(app_of(room, broker=broker))
    async with operator.http:
        await operator.sign_in()
        page = await operator.see()
    assert "The broker's queues can't be shown: the broker can't be asked" in words(section(page, "queues"))
    assert "No letter waits." in words(section(page, "queues"))
    assert "secret" not in page


@pytest.fixture(params=[Redis, RabbitMQ])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    with require(request.param().start) as server:
        yield server


@any_database
async def test_a_broker_that_hangs_or_is_away_holds_nobody_up_and_is_missed(
    server: Server, database: Database, room: OrderRoom, figures: list[str]
) -> None:
    broker = built(server.url)
    metrics = Metrics(database, SystemClock(), queues=QueueFigures(broker))
    ask = health.ready(broker, database, Sweeper(room.closing, interval=5, grace=10), asyncio.get_running_loop())[
        "broker"
    ]
    await ask()
    assert (await scrape_of(metrics))[UP,] == 1
    server.pause()
    with capture_logs() as logs:
        started = time.monotonic()
        found = await scrape_of(metrics)
        took = time.monotonic() - started
        with pytest.raises((NotWell, TimeoutError)):
            async with asyncio.timeout(30):
                await ask()
    assert found[UP,] == 0
    assert found["homestay_database_up",] == 1
    assert not {name for name, *_ in found} & (HELP.keys() - {UP})
    # A server that is paused says nothing for ever.
    assert took < ASKED_WITHIN + 20
    assert "guest" not in str(logs)
    server.resume()
    await back(metrics)
    server.kill()
    with pytest.raises(NotWell):
        await ask()
    assert (await scrape_of(metrics))[UP,] == 0
    server.start()
    await back(metrics)
    await ask()
    figures.append(f"a scrape while {type(server).__name__} hangs: {took:.2f} s")


async def back(metrics: Metrics) -> None:
    async with asyncio.timeout(20):
        while (await scrape_of(metrics))[UP,] != 1:  # noqa: ASYNC110 -- likewise
            await asyncio.sleep(0.1)


async def test_many_scrapes_of_a_broker_that_hangs_use_one_thread(redis_that_hangs: Redis) -> None:
    figures = QueueFigures(SortedSetBroker(client=connect(redis_that_hangs.url), middleware=[]))
    await asyncio.gather(*(figures.gather() for _ in range(50)))
    assert len(figures._thread._threads) == 1


@pytest.fixture
def redis_that_hangs() -> Iterator[Redis]:
    with require(Redis().start) as server:
        server.pause()
        yield server


@pytest.mark.parametrize("kind", [RedisBroker, StubBroker])
async def test_each_figure_is_of_a_family_that_says_what_it_is(kind: type[dramatiq.Broker], redis: Redis) -> None:
    broker = queues_here() if kind is StubBroker else built(f"{redis.url}?broker=stock")
    assert {metric.name: metric.documentation for metric in await QueueFigures(broker).gather()} == HELP
