"""Delayed messages on a real Redis: they run on time whatever happens to workers and to Redis meanwhile."""

import time
from collections.abc import Callable, Iterator

import dramatiq
import pytest
import redis as client
from dramatiq.middleware import Retries

from tests.servers import Redis
from workers.sorted_set_broker import SortedSetBroker, connect

QUEUE = "timers"


class Diary:
    """What ran, and when."""

    def __init__(self) -> None:
        self.ran: dict[str, float] = {}
        self.failures = 0


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    """A server of its own, since these tests stop and starve it."""
    from tests.servers import require  # noqa: PLC0415

    with require(Redis().start) as server:
        yield server


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def broker(redis_server: Redis, diary: Diary) -> Iterator[SortedSetBroker]:
    opened = SortedSetBroker(
        client=connect(redis_server.url), middleware=[Retries(max_retries=3, min_backoff=100)], tick=0.1
    )

    @dramatiq.actor(broker=opened, queue_name=QUEUE, actor_name="note")
    def note(name: str) -> None:
        diary.ran[name] = time.monotonic()

    @dramatiq.actor(broker=opened, queue_name=QUEUE, actor_name="fail_once")
    def fail_once(name: str) -> None:
        if not diary.failures:
            diary.failures += 1
            raise RuntimeError("the test says so")
        diary.ran[name] = time.monotonic()

    yield opened
    opened.close()
    opened.client.close()


@pytest.fixture
def start_worker(broker: SortedSetBroker) -> Iterator[Callable[[], dramatiq.Worker]]:
    running: list[dramatiq.Worker] = []

    def start() -> dramatiq.Worker:
        worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
        worker.start()
        running.append(worker)
        return worker

    yield start
    for worker in running:
        worker.stop(2000)


def message(broker: SortedSetBroker, name: str, actor: str = "note") -> dramatiq.Message[None]:
    sent: dramatiq.Message[None] = broker.get_actor(actor).message(name)
    return sent


def wait_until(done: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not done():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)


def test_a_delayed_message_runs_when_it_is_due_and_not_before(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    start_worker()
    due = time.monotonic() + 1
    broker.enqueue(message(broker, "later"), delay=1000)
    broker.enqueue(message(broker, "now"))
    wait_until(lambda: "later" in diary.ran, 3)
    assert diary.ran["now"] < due
    assert due - 0.01 <= diary.ran["later"] < due + 0.8


def test_many_are_sent_in_one_round_trip_and_all_run(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    before = broker.client.info("stats")["total_reads_processed"]
    broker.enqueue_many([(message(broker, f"m{n}"), 200) for n in range(1200)])
    # Redis reads a long request in pieces of 16 KiB; one message at a time would be a read each.
    assert broker.client.info("stats")["total_reads_processed"] - before < 200
    assert broker.delayed(QUEUE) == 1200
    start_worker()
    wait_until(lambda: len(diary.ran) == 1200, 15)
    assert broker.delayed(QUEUE) == 0


def test_messages_wait_in_redis_and_not_in_a_worker(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    worker = start_worker()
    broker.enqueue_many([(message(broker, f"slow{n}"), 60_000) for n in range(500)])
    broker.enqueue(message(broker, "quick"), delay=500)
    sent = time.monotonic()
    wait_until(lambda: "quick" in diary.ran, 3)
    assert diary.ran["quick"] - sent < 1.5
    worker.stop(1000)
    assert broker.delayed(QUEUE) == 500


def test_a_retry_keeps_its_backoff(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    start_worker()
    broker.enqueue(message(broker, "again", actor="fail_once"))
    wait_until(lambda: "again" in diary.ran, 5)
    assert diary.failures == 1


@pytest.mark.parametrize("away", [2.0, 4.0])
def test_redis_goes_away_while_messages_fall_due_and_comes_back(
    redis_server: Redis,
    broker: SortedSetBroker,
    diary: Diary,
    start_worker: Callable[[], dramatiq.Worker],
    away: float,
) -> None:
    start_worker()
    broker.enqueue_many([(message(broker, f"m{n}"), 500) for n in range(50)])
    redis_server.kill()
    time.sleep(away)
    redis_server.restart()
    wait_until(lambda: len(diary.ran) == 50, 15)


def test_redis_hangs_while_messages_fall_due_and_goes_on(
    redis_server: Redis, broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    start_worker()
    broker.enqueue_many([(message(broker, f"m{n}"), 500) for n in range(50)])
    redis_server.pause()
    time.sleep(3)
    redis_server.resume()
    wait_until(lambda: len(diary.ran) == 50, 15)


def test_redis_refuses_writes_for_a_while(
    redis_server: Redis, broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    start_worker()
    broker.enqueue_many([(message(broker, f"m{n}"), 500) for n in range(50)])
    admin = client.Redis.from_url(redis_server.url)
    admin.config_set("maxmemory", 1)
    time.sleep(3)
    with pytest.raises(client.RedisError):
        broker.enqueue(message(broker, "refused"))
    admin.config_set("maxmemory", 0)
    wait_until(lambda: len(diary.ran) == 50, 20)
    admin.close()
