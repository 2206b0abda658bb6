"""Messages that run as one: in Redis, and whatever becomes of the run, each is still a message of its own."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import dramatiq
import pytest
import redis as client
from dramatiq.middleware import Retries

from domain.tracing import TRACEPARENT
from tests.servers import Redis, require
from workers.bundles import REDIS_ID, Taken, joined, parts_of
from workers.sorted_set_broker import SortedSetBroker, connect

QUEUE: Final = "timers"
MOST: Final = {"note": 3}


def message(name: object, actor: str = "note", **options: object) -> dramatiq.Message[None]:
    return dramatiq.Message(QUEUE, actor, (name,), {}, {REDIS_ID: f"id of {name}", **options})


def runs(*messages: dramatiq.Message[None]) -> list[tuple[object, ...]]:
    return [taken.args for taken in joined(messages, MOST)]


def test_as_many_run_as_one_as_may_and_in_their_order() -> None:
    assert runs(*map(message, "abcdefg")) == [("a", "b", "c"), ("d", "e", "f"), ("g",)]


def test_only_those_of_the_same_actor_and_of_one_that_says_so() -> None:
    mixed = [message("a"), message("b", "other"), message("c"), message("d", "other")]
    assert runs(*mixed) == [("a", "c"), ("b",), ("d",)]


@pytest.mark.parametrize(
    "alone",
    [
        message("x", retries=1),
        message("x", pipe_target={}),
        message(7),
        message("x").copy(args=("x", "y")),
        message("x").copy(args=()),
        message("x").copy(kwargs={"name": "x"}),
    ],
    ids=str,
)
def test_what_ran_before_and_what_is_otherwise_runs_alone(alone: dramatiq.Message[None]) -> None:
    assert runs(message("a"), alone, message("b")) == [("a", "b"), alone.args]


def test_each_keeps_what_is_its_own_and_gets_what_is_of_the_run() -> None:
    (taken,) = joined([message("a", **{TRACEPARENT: "of a"}), message("b")], MOST)
    taken.options.update({"retries": 1, TRACEPARENT: "of the run"})
    assert taken.ids == ["id of a", "id of b"]
    found = {id_: json.loads(encoded) for id_, encoded in taken.encoded(error="no")}
    assert {id_: each["args"] for id_, each in found.items()} == {"id of a": ["a"], "id of b": ["b"]}
    options = {"retries": 1, "error": "no"}
    assert found["id of a"]["options"] == {REDIS_ID: "id of a", TRACEPARENT: "of a", **options}
    assert found["id of b"]["options"] == {REDIS_ID: "id of b", TRACEPARENT: "of the run", **options}


def test_one_that_runs_alone_is_itself() -> None:
    one = message("a")
    taken = Taken(one)
    assert [*parts_of(taken)] == [one]
    assert [*parts_of(one)] == [*parts_of(dramatiq.MessageProxy(one))] == [one]
    taken.options["retries"] = 1
    ((id_, encoded),) = taken.encoded()
    assert (id_, json.loads(encoded)["options"]["retries"]) == ("id of a", 1)


class Diary:
    """The runs, and what is to go wrong in them."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, ...]] = []
        self.stored: list[int] = []
        self.bad: set[str] = set()

    @property
    def names(self) -> list[str]:
        return [name for run in self.runs for name in run]


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with require(Redis().start) as opened:
        yield opened


@pytest.fixture
def redis(server: Redis) -> Iterator[client.Redis]:
    server.wipe()
    with connect(server.url) as opened:
        yield opened


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def broker(redis: client.Redis, diary: Diary) -> Iterator[SortedSetBroker]:
    opened = SortedSetBroker(
        client=redis,
        middleware=[Retries(max_retries=1, min_backoff=10, max_backoff=20)],
        tick=0.1,
        held={QUEUE: 100},
        joined={"note": 3},
    )

    @dramatiq.actor(broker=opened, queue_name=QUEUE, actor_name="note")
    def note(*names: str) -> None:
        diary.runs.append(names)
        diary.stored.append(redis.hlen(f"dramatiq:{QUEUE}.msgs"))
        if diary.bad.intersection(names):
            raise RuntimeError("the test says so")

    yield opened
    opened.close()


@pytest.fixture
def start_worker(broker: SortedSetBroker) -> Iterator[Callable[[], None]]:
    running: list[dramatiq.Worker] = []

    def start() -> None:
        worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=100)
        worker.start()
        running.append(worker)

    yield start
    for worker in running:
        worker.stop(2000)


def send(broker: SortedSetBroker, names: str, delay: int | None = None) -> None:
    actor: dramatiq.Actor[..., Any] = broker.get_actor("note")
    broker.enqueue_many([(actor.message(name), delay) for name in names])


def wait_until_empty(redis: client.Redis) -> None:
    deadline = time.monotonic() + 30
    while redis.hlen(f"dramatiq:{QUEUE}.msgs"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def dead(redis: client.Redis) -> list[dict[str, Any]]:
    return [json.loads(each) for each in redis.hgetall(f"dramatiq:{QUEUE}.XQ.msgs").values()]


def test_a_run_is_acknowledged_when_it_has_ended_and_all_of_it_in_one_trip(
    broker: SortedSetBroker, diary: Diary, redis: client.Redis, start_worker: Callable[[], None]
) -> None:
    send(broker, "abcdefg")
    start_worker()
    wait_until_empty(redis)
    assert diary.runs == [("a", "b", "c"), ("d", "e", "f"), ("g",)]
    assert diary.stored == [7, 4, 1]
    assert dead(redis) == []


def test_a_run_that_fails_falls_apart(
    broker: SortedSetBroker, diary: Diary, redis: client.Redis, start_worker: Callable[[], None]
) -> None:
    diary.bad = {"b"}
    send(broker, "abc")
    start_worker()
    wait_until_empty(redis)
    first, *others = diary.runs
    assert first == ("a", "b", "c")
    assert sorted(others) == [("a",), ("b",), ("c",)]
    (kept,) = dead(redis)
    assert (kept["args"], kept["options"]["error"]) == (["b"], "RuntimeError('the test says so')")


def test_what_of_a_run_did_not_run_is_given_back_whole(broker: SortedSetBroker, redis: client.Redis) -> None:
    send(broker, "abcd")
    consumer = broker.consume(QUEUE, prefetch=10, timeout=10)
    taken = next(consumer)
    assert taken is not None
    assert taken.args == ("a", "b", "c")
    consumer.requeue([taken])
    consumer.close()
    assert redis.llen(f"dramatiq:{QUEUE}") == 4
    assert redis.keys("*__acks__*") == []


def test_more_than_one_look_moves_needs_no_time(
    redis: client.Redis, diary: Diary, broker: SortedSetBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker that looks every half minute unless there is more to be moved now.
    monkeypatch.setattr("workers.redis_queue.AT_ONCE", 2)
    send(broker, "abcdefghijklmnop", delay=0)
    slow = SortedSetBroker(client=redis, middleware=[], tick=30)
    slow.declare_actor(broker.get_actor("note"))
    worker = dramatiq.Worker(slow, worker_threads=1, worker_timeout=100)
    began = time.monotonic()
    worker.start()
    wait_until_empty(redis)
    assert time.monotonic() - began < 25
    assert sorted(diary.names) == list("abcdefghijklmnop")
    worker.stop(2000)
