"""Messages that failed for good, on a real Redis, under both Redis brokers."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries

from tests.servers import Redis
from workers.dead_messages import DeadMessages
from workers.sorted_set_broker import SortedSetBroker, connect

QUEUE = "work"


class Refused(Exception):
    pass


class Workshop:
    """A broker, a worker, and an actor that fails as long as it is told to."""

    def __init__(self, broker: RedisBroker) -> None:
        self.broker = broker
        self.dead = DeadMessages(broker)
        self.tries: list[str] = []
        self.mended = False

        @dramatiq.actor(broker=broker, queue_name=QUEUE, max_retries=1, min_backoff=10, throws=(Refused,))
        def work(name: str, *, refuse: bool = False) -> None:
            self.tries.append(name)
            if refuse:
                raise Refused(name)
            if not self.mended:
                raise RuntimeError(f"no tools for {name}")

        self.work = work

    def wait_for_deaths(self, count: int) -> None:
        self.wait_until(lambda: len(self.dead.of(QUEUE)) == count)

    def wait_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture(params=["ours", "dramatiq's"])
def workshop(request: pytest.FixtureRequest, redis: Redis) -> Iterator[Workshop]:
    client = connect(redis.url)
    broker = (
        SortedSetBroker(client=client, middleware=[Retries()], tick=0.05)
        if request.param == "ours"
        else RedisBroker(client=client, middleware=[Retries()])  # type: ignore[no-untyped-call] # dramatiq's own
    )
    opened = Workshop(broker)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)
    worker.start()
    yield opened
    worker.stop()
    client.close()
    redis.wipe()


def test_a_message_that_failed_for_good_says_when_and_of_what(workshop: Workshop) -> None:
    assert workshop.dead.of(QUEUE) == []
    workshop.work.send("a")
    workshop.wait_for_deaths(1)
    workshop.work.send("b")
    workshop.wait_for_deaths(2)
    latest, first = workshop.dead.of(QUEUE)
    assert (first.queue, first.actor, first.arguments) == (QUEUE, "work", ("a",))
    assert (latest.arguments, latest.error) in {
        (("b",), "RuntimeError('no tools for b')"),
        (("b",), "RuntimeError: no tools for b"),  # dramatiq's broker keeps the trace
    }
    assert timedelta(0) <= datetime.now(UTC) - latest.died_at < timedelta(seconds=10)
    assert workshop.tries == ["a", "a", "b", "b"]
    assert [dead.id for dead in workshop.dead.of(QUEUE, limit=1)] == [latest.id]


def test_what_an_actor_refuses_is_dead_at_once(workshop: Workshop) -> None:
    workshop.work.send("a", refuse=True)
    workshop.wait_for_deaths(1)
    (dead,) = workshop.dead.of(QUEUE)
    assert dead.arguments == ("a", True)
    # dramatiq's own broker does not tell.
    assert dead.error == ("Refused('a')" if isinstance(workshop.broker, SortedSetBroker) else "")
    assert workshop.tries == ["a"]


def test_a_message_that_is_revived_has_all_its_tries_before_it(workshop: Workshop) -> None:
    workshop.work.send("a")
    workshop.wait_for_deaths(1)
    (dead,) = workshop.dead.of(QUEUE)
    assert workshop.dead.revive(QUEUE, [dead.id]) == 1
    workshop.wait_until(lambda: len(workshop.tries) == 4)
    workshop.wait_for_deaths(1)
    workshop.mended = True
    (dead,) = workshop.dead.of(QUEUE)
    assert workshop.dead.revive(QUEUE, [dead.id]) == 1
    workshop.wait_until(lambda: len(workshop.tries) == 5)
    workshop.wait_for_deaths(0)
    assert workshop.dead.revive(QUEUE, [dead.id, "unknown"]) == 0
    workshop.broker.join(QUEUE, timeout=5000)
    assert len(workshop.tries) == 5


def test_a_message_is_revived_once_by_whoever_comes_first(workshop: Workshop) -> None:
    workshop.work.send("a")
    workshop.wait_for_deaths(1)
    (dead,) = workshop.dead.of(QUEUE)
    encoded = workshop.dead._client.hget(f"dramatiq:{QUEUE}.XQ.msgs", dead.id)
    workshop.mended = True
    assert workshop.dead.revive(QUEUE, [dead.id]) == 1
    # A second operator who had read it by then.
    keys = workshop.dead._keys(QUEUE)
    assert workshop.dead._revive(keys=keys, args=[dead.id, encoded]) == 0
    workshop.wait_until(lambda: len(workshop.tries) == 3)


def test_a_message_that_is_dropped_is_gone(workshop: Workshop) -> None:
    workshop.work.send("a")
    workshop.wait_for_deaths(1)
    (dead,) = workshop.dead.of(QUEUE)
    assert workshop.dead.drop(QUEUE, [dead.id, "unknown"]) == 1
    assert workshop.dead.of(QUEUE) == []
    assert workshop.dead.drop(QUEUE, [dead.id]) == 0
    assert workshop.broker.client.exists(f"dramatiq:{QUEUE}.XQ", f"dramatiq:{QUEUE}.XQ.msgs") == 0


def test_what_nobody_can_read_can_only_be_dropped(workshop: Workshop) -> None:
    workshop.broker.client.zadd(f"dramatiq:{QUEUE}.XQ", {"foreign": time.time() * 1000})
    workshop.broker.client.hset(f"dramatiq:{QUEUE}.XQ.msgs", "foreign", b"not a message")
    (dead,) = workshop.dead.of(QUEUE)
    assert (dead.id, dead.actor, dead.error) == ("foreign", "", "nobody can read it")
    assert workshop.dead.revive(QUEUE, ["foreign"]) == 0
    assert workshop.dead.drop(QUEUE, ["foreign"]) == 1
