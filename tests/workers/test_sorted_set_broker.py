"""Delayed messages on a real Redis: they run on time whatever happens to workers and to Redis meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
import redis as client
from dramatiq.middleware import Retries

from tests.servers import Redis
from workers import redis_queue
from workers.redis_queue import New
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


def stored(broker: SortedSetBroker) -> int:
    """How many messages Redis has, waiting, runnable or taken."""
    return broker.client.hlen(f"dramatiq:{QUEUE}.msgs")


def wait_until(done: Callable[[], bool]) -> None:
    """Waits for what must happen, however busy the machine is; what must happen soon is measured by itself."""
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_delayed_message_runs_when_it_is_due_and_not_before(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    start_worker()
    due = time.monotonic() + 1
    broker.enqueue(message(broker, "later"), delay=1000)
    broker.enqueue(message(broker, "now"))
    wait_until(lambda: "later" in diary.ran)
    # How soon after that, the fault matrix measures: a busy machine is late with anything.
    assert diary.ran["now"] < diary.ran["later"]
    assert due - 0.01 <= diary.ran["later"]


def test_many_are_sent_in_one_round_trip_and_all_run(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    before = broker.client.info("stats")["total_reads_processed"]
    broker.enqueue_many([(message(broker, f"m{n}"), 200) for n in range(1200)])
    # Redis reads a long request in pieces of 16 KiB; one message at a time would be a read each.
    assert broker.client.info("stats")["total_reads_processed"] - before < 200
    assert broker.delayed(QUEUE) == 1200
    start_worker()
    wait_until(lambda: len(diary.ran) == 1200)
    assert broker.delayed(QUEUE) == 0


def test_messages_wait_in_redis_and_not_in_a_worker(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    worker = start_worker()
    broker.enqueue_many([(message(broker, f"slow{n}"), 60_000) for n in range(500)])
    broker.enqueue(message(broker, "quick"), delay=500)
    # One that waited for those before it would run in a minute.
    wait_until(lambda: "quick" in diary.ran)
    worker.stop(1000)
    assert broker.delayed(QUEUE) == 500


def test_a_retry_keeps_its_backoff(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    start_worker()
    broker.enqueue(message(broker, "again", actor="fail_once"))
    wait_until(lambda: "again" in diary.ran)
    assert diary.failures == 1


def test_a_message_that_fails_while_redis_is_away_runs_again(
    redis_server: Redis, broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def fail_with_redis(name: str) -> None:
        if not diary.failures:
            diary.failures += 1
            redis_server.kill()
            raise RuntimeError("the test says so")
        diary.ran[name] = time.monotonic()

    start_worker()
    broker.enqueue(message(broker, "again", actor="fail_with_redis"))
    wait_until(lambda: diary.failures == 1)
    time.sleep(1)
    redis_server.restart()
    wait_until(lambda: "again" in diary.ran)
    wait_until(lambda: stored(broker) == 0)


def test_a_message_that_is_sent_again_is_one_message(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    retries: list[int] = []

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def fail_twice(name: str) -> None:
        retries.append(stored(broker))
        if len(retries) < 3:
            raise dramatiq.Retry(delay=50)
        diary.ran[name] = time.monotonic()

    start_worker()
    broker.enqueue(message(broker, "again", actor="fail_twice"))
    wait_until(lambda: "again" in diary.ran)
    assert retries == [1, 1, 1]
    wait_until(lambda: stored(broker) == 0)


def test_what_got_lost_on_its_way_from_redis_runs(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = broker.queue(QUEUE)
    take = queue._take
    lost: list[object] = []

    def take_in_vain(keys: list[str], args: list[str | int]) -> object:
        answer = take(keys=keys, args=args)
        if answer and not lost:
            lost.append(answer)
            raise client.TimeoutError("the test says so")
        return answer

    monkeypatch.setattr(queue, "_take", take_in_vain)
    broker.enqueue_many([(message(broker, f"m{n}"), None) for n in range(10)])
    start_worker()
    wait_until(lambda: len(diary.ran) == 10)
    assert len(lost) == 1
    wait_until(lambda: stored(broker) == 0)


def test_a_message_that_nobody_can_read_keeps_no_other_waiting(
    broker: SortedSetBroker, diary: Diary, start_worker: Callable[[], dramatiq.Worker]
) -> None:
    broker.queue(QUEUE).add([New("foreign", b"not a message", delay=None)])
    broker.enqueue(message(broker, "next"))
    start_worker()
    wait_until(lambda: "next" in diary.ran)
    wait_until(lambda: broker.client.zcard(f"dramatiq:{QUEUE}.XQ") == 1)
    wait_until(lambda: stored(broker) == 0)


def test_a_message_that_runs_for_long_is_not_taken_for_a_dead_worker_s(
    redis_server: Redis,
    broker: SortedSetBroker,
    start_worker: Callable[[], dramatiq.Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By a clock ten times as fast: the message runs for twice as long as a worker may be silent.
    monkeypatch.setattr(redis_queue, "SILENCE", 500)
    began: list[str] = []

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def work_long(name: str) -> None:
        began.append(name)
        time.sleep(1)

    # All threads are busy and all places taken, so that the consumer asks Redis nothing meanwhile.
    broker.enqueue_many([(message(broker, f"m{n}", actor="work_long"), None) for n in range(4)])
    start_worker()
    wait_until(lambda: len(began) == 2)
    other = SortedSetBroker(client=connect(redis_server.url), middleware=[], tick=0.1)
    queue = other.queue(QUEUE)
    while len(began) < 4 or stored(broker):
        assert queue.tick().taken_over == 0
        time.sleep(0.05)
    assert sorted(began) == ["m0", "m1", "m2", "m3"]
    other.client.close()


def test_a_worker_that_stops_lives_until_its_last_message_has_ended(
    redis_server: Redis,
    broker: SortedSetBroker,
    start_worker: Callable[[], dramatiq.Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_queue, "SILENCE", 500)
    began: list[str] = []

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def work_long(name: str) -> None:
        began.append(name)
        time.sleep(1.5)

    broker.enqueue_many([(message(broker, f"m{n}", actor="work_long"), None) for n in range(4)])
    worker = start_worker()
    wait_until(lambda: len(began) == 2)
    other = SortedSetBroker(client=connect(redis_server.url), middleware=[], tick=0.1)
    queue = other.queue(QUEUE)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    while stopping.is_alive():
        assert queue.tick().taken_over == 0
        time.sleep(0.05)
    # What had not begun is for others, at once.
    assert (len(began), len(queue.take(9))) == (2, 2)
    other.client.close()


@pytest.mark.parametrize(("fail", "within"), [(Redis.kill, 3), (Redis.pause, 8)], ids=["gone", "hung"])
def test_a_worker_stops_soon_when_redis_fails(
    redis_server: Redis,
    broker: SortedSetBroker,
    start_worker: Callable[[], dramatiq.Worker],
    fail: Callable[[Redis], None],
    within: float,
) -> None:
    began: list[str] = []

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def outlive_redis(name: str) -> None:
        began.append(name)
        if len(began) == 1:
            fail(redis_server)

    broker.enqueue_many([(message(broker, f"m{n}", actor="outlive_redis"), None) for n in range(4)])
    worker = start_worker()
    # Both threads have something to say to Redis, and two messages wait for them.
    wait_until(lambda: len(began) == 2)
    time.sleep(0.5)
    before = time.monotonic()
    worker.stop()
    assert time.monotonic() - before < within
    redis_server.kill()
    redis_server.restart()
    # What ran and could not be reported is still there, for another worker, as is what did not run.
    assert stored(broker) == 4


@pytest.mark.parametrize(("fail", "within"), [(Redis.kill, 1), (Redis.pause, 3)], ids=["gone", "hung"])
def test_a_sender_gives_up_soon_when_redis_fails(
    redis_server: Redis, broker: SortedSetBroker, fail: Callable[[Redis], None], within: float
) -> None:
    broker.enqueue(message(broker, "before"))
    fail(redis_server)
    for _ in range(2):  # on a connection that was open, and on a new one
        before = time.monotonic()
        with pytest.raises((client.ConnectionError, client.TimeoutError)):
            broker.enqueue(message(broker, "meanwhile"))
        assert time.monotonic() - before < within


def test_a_connection_that_breaks_under_a_message_is_not_felt(
    broker: SortedSetBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.enqueue(message(broker, "before"))
    read, broken = client.Connection.read_response, [True]

    def read_no_more(self: client.Connection, *arguments: Any, **named: Any) -> Any:
        answer = read(self, *arguments, **named)
        if broken:
            broken.clear()
            raise client.ConnectionError("the test says so")
        return answer

    monkeypatch.setattr(client.Connection, "read_response", read_no_more)
    broker.enqueue(message(broker, "after"))
    assert not broken
    assert stored(broker) == 2
