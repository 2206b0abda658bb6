"""The scripts of one queue: a message is always in exactly one place, whoever fails and however often he asks."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
import redis as client

from tests.servers import Redis, require
from workers import redis_queue
from workers.redis_queue import New, RedisQueue, Stored
from workers.sorted_set_broker import connect

SILENCE: Final = 0.3


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_queue, "SILENCE", round(SILENCE * 1000))


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """One that these tests may fill and hang."""
    with require(Redis().start) as opened:
        yield opened


@pytest.fixture
def redis(server: Redis) -> Iterator[client.Redis]:
    server.wipe()
    with connect(server.url) as opened:
        yield opened


@pytest.fixture
def worker(redis: client.Redis) -> Callable[[str], RedisQueue]:
    return lambda name: RedisQueue(redis, namespace="test", name="work", worker=name)


@pytest.fixture
def ours(worker: Callable[[str], RedisQueue]) -> RedisQueue:
    return worker("ours")


@pytest.fixture
def other(worker: Callable[[str], RedisQueue]) -> RedisQueue:
    return worker("other")


def add(queue: RedisQueue, *ids: str, delay: int | None = None) -> None:
    queue.add([New(id_, f"message {id_}".encode(), delay) for id_ in ids])


def take(queue: RedisQueue, prefetch: int = 100) -> list[str]:
    return [taken.id for taken in queue.take(prefetch)]


def look_for(queue: RedisQueue, seconds: float) -> int:
    """Ticks as often as a forwarder would, and returns how many messages were taken over."""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        count += queue.tick().taken_over
        time.sleep(SILENCE / 10)
    return count


def take_over(queue: RedisQueue) -> int:
    """Ticks until something was taken over, and returns how many messages that were."""
    end = time.monotonic() + 10
    while not (count := queue.tick().taken_over):
        assert time.monotonic() < end
        time.sleep(SILENCE / 10)
    return count


def test_messages_are_taken_in_their_order_and_up_to_what_a_worker_may_hold(ours: RedisQueue) -> None:
    add(ours, "a", "b", "c", "d")
    assert take(ours, prefetch=3) == ["a", "b", "c"]
    assert take(ours, prefetch=3) == []
    ours.done(["b"])
    assert take(ours, prefetch=3) == ["d"]


def test_a_message_that_is_sent_twice_is_there_once(ours: RedisQueue) -> None:
    for delay in (None, None, 0, 50):
        add(ours, "a", delay=delay)
    assert (take(ours), ours.waiting()) == (["a"], 0)
    add(ours, "b", delay=10)
    add(ours, "b")
    assert (take(ours), ours.waiting()) == ([], 1)


def test_what_is_due_moves_and_the_next_moment_is_known(ours: RedisQueue) -> None:
    add(ours, "later", delay=60_000)
    add(ours, "now", delay=0)
    tick = ours.tick()
    assert tick.runnable == 1
    assert 59_000 < tick.next_due <= 60_000
    assert ours.arrived.is_set()
    assert take(ours) == ["now"]
    assert ours.tick().runnable == 0
    assert not ours.arrived.is_set()


def test_more_than_one_call_moves_falls_due_at_once(ours: RedisQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_queue, "AT_ONCE", 2)
    add(ours, "a", "b", "c", delay=0)
    tick = ours.tick()
    assert tick.runnable == 2
    assert tick.next_due == 0  # so that the forwarder comes again as soon as it may
    assert ours.tick().runnable == 3


def test_who_held_all_it_may_hears_that_there_is_room(ours: RedisQueue) -> None:
    add(ours, "a", "b", "c", "d")
    assert take(ours, prefetch=2) == ["a", "b"]
    ours.done(["a"])
    assert not ours.arrived.is_set()  # it did not ask for more yet
    assert take(ours, prefetch=1) == []
    ours.done(["b"])
    assert ours.arrived.is_set()
    assert take(ours, prefetch=1) == ["c"]
    ours.again([New("c", b"second try", 1000)])
    assert not ours.arrived.is_set()
    assert take(ours, prefetch=1) == ["d"]
    assert take(ours, prefetch=1) == []
    ours.bury([Stored("d", b"dead")])
    assert ours.arrived.is_set()


def test_a_message_that_runs_again_is_as_it_was_left(ours: RedisQueue) -> None:
    add(ours, "a", "b")
    take(ours)
    ours.again([New("a", b"second try", 0), New("b", b"second try", None)])
    assert ours.take(1)[0] == ("b", b"second try")
    ours.done(["b"])
    ours.tick()
    assert ours.take(1)[0] == ("a", b"second try")


@pytest.mark.parametrize("end", ["done", "again", "bury"])
def test_who_was_taken_over_has_no_more_say(ours: RedisQueue, other: RedisQueue, redis: client.Redis, end: str) -> None:
    add(other, "a")
    take(other)
    assert take_over(ours) == 1
    ends = {
        "done": lambda: other.done(["a"]),
        "again": lambda: other.again([New("a", b"late", None)]),
        "bury": lambda: other.bury([Stored("a", b"late")]),
    }
    ends[end]()
    assert ours.take(1)[0] == ("a", b"message a")
    assert redis.exists("test:work.XQ") == 0


def test_an_answer_that_got_lost_is_found_again(
    ours: RedisQueue, other: RedisQueue, worker: Callable[[str], RedisQueue]
) -> None:
    add(ours, "a", "b", "c", "d", "e")
    assert take(ours, prefetch=1) == ["a"]
    assert take(other, prefetch=1) == ["b"]
    # The same worker, as Redis sees it, whose answer nobody received.
    take(worker("ours"), prefetch=2)
    assert ours.reclaim() == 2
    assert ours.reclaim() == 0
    assert set(take(ours)) == {"c", "d", "e"}
    assert look_for(ours, 0.5 * SILENCE) == 0


def test_what_is_given_back_runs_first_and_in_its_order(ours: RedisQueue) -> None:
    add(ours, "a", "b", "c", "d")
    assert take(ours, prefetch=3) == ["a", "b", "c"]
    ours.give_back(["a", "b"])
    assert take(ours) == ["a", "b", "d"]


def test_a_worker_that_is_silent_is_taken_over_and_forgotten(
    ours: RedisQueue, other: RedisQueue, redis: client.Redis
) -> None:
    add(other, "a", "b", "c")
    assert take(other, prefetch=2) == ["a", "b"]
    began = time.monotonic()
    assert take_over(ours) == 2
    assert time.monotonic() - began > SILENCE * 0.9
    # It may be what the worker died of, so it does not keep others waiting.
    assert take(ours)[0] == "c"
    assert redis.zrange("test:work.beats", 0, -1) == [b"ours"]


def test_a_worker_that_ticks_keeps_what_it_has_taken(ours: RedisQueue, other: RedisQueue) -> None:
    add(other, "a")
    take(other)
    end = time.monotonic() + 3 * SILENCE
    while time.monotonic() < end:
        assert ours.tick().taken_over == 0
        other.tick()
        time.sleep(SILENCE / 10)


def test_who_was_cut_off_as_well_gives_the_others_time(ours: RedisQueue, other: RedisQueue) -> None:
    look_for(ours, 2 * SILENCE)
    add(other, "a")
    take(other)
    other.tick()
    time.sleep(2 * SILENCE)  # Redis is away for both; ours finds it first
    assert look_for(ours, 0.5 * SILENCE) == 0
    other.tick()
    assert look_for(ours, 0.8 * SILENCE) == 0


def test_questions_that_a_hung_redis_answers_late_take_nothing_over(
    server: Redis, ours: RedisQueue, other: RedisQueue
) -> None:
    look_for(ours, 2 * SILENCE)
    add(other, "a")
    take(other)
    other.tick()
    before = (ours._seen, ours._steady)
    server.pause()
    time.sleep(2 * SILENCE)
    server.resume()
    # A client asks again when it gets no answer in time; all its questions are answered at once, in this order.
    for _ in range(3):
        ours._seen, ours._steady = before
        assert ours.tick().taken_over == 0


def test_a_full_redis_takes_nothing_new_and_holds_up_nothing(
    ours: RedisQueue, other: RedisQueue, redis: client.Redis
) -> None:
    add(ours, *"abcde")
    add(ours, "f", delay=0)
    add(other, "g")
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(client.ResponseError, match="maxmemory"):
            add(ours, "new")
        with pytest.raises(client.ResponseError, match="maxmemory"):
            add(ours, "new", delay=5)
        assert ours.tick().runnable == 7
        assert take(other, prefetch=1) == ["a"]
        assert take(ours) == ["b", "c", "d", "e", "g", "f"]
        ours.done(["b"])
        ours.again([New("c", b"second try", 0)])
        ours.bury([Stored("d", b"dead")])
        ours.give_back(["e"])
        assert take_over(ours) == 1
        assert take(ours) == ["e", "c", "a"]
    finally:
        redis.config_set("maxmemory", 0)
    assert redis.hget("test:work.msgs", "new") is None
    assert redis.zrange("test:work.XQ", 0, -1) == [b"d"]


def test_the_dead_are_kept_for_a_while(ours: RedisQueue, redis: client.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    add(ours, "a")
    take(ours)
    ours.bury([Stored("a", b"dead")])
    ours.tick()
    assert redis.hgetall("test:work.XQ.msgs") == {b"a": b"dead"}
    monkeypatch.setattr(redis_queue, "DEAD_FOR", 0)
    ours.tick()
    assert redis.exists("test:work.XQ", "test:work.XQ.msgs") == 0


def test_clearing_leaves_nothing(ours: RedisQueue, redis: client.Redis) -> None:
    add(ours, "a", "b")
    add(ours, "c", delay=1000)
    take(ours, prefetch=1)
    ours.clear()
    assert redis.keys("*") == [b"test:work.beats"]


def test_a_message_is_always_in_exactly_one_place(worker: Callable[[str], RedisQueue], redis: client.Redis) -> None:
    draw = random.Random(7)  # noqa: S311 -- a walk that can be walked again
    workers = [worker(f"w{number}") for number in range(3)]
    sent: list[str] = []

    def delay() -> int | None:
        return draw.choice([None, 0, 30])

    def send(queue: RedisQueue, _: str) -> None:
        sent.append(draw.choice([f"m{len(sent)}", *sent[-2:]]))
        add(queue, sent[-1], delay=delay())

    steps: list[Callable[[RedisQueue, str], object]] = [
        send,
        send,
        lambda queue, _: queue.take(draw.randrange(1, 6)),
        lambda queue, _: queue.take(draw.randrange(1, 6)),
        lambda queue, held: queue.done([held]),
        lambda queue, held: queue.again([New(held, b"again", delay())]),
        lambda queue, held: queue.bury([Stored(held, b"dead")]),
        lambda queue, held: queue.give_back([held]),
        lambda queue, _: queue.tick(),
        lambda queue, _: queue.reclaim(),
    ]
    for _ in range(600):
        if draw.random() < 0.01:  # one dies, and starts anew under another name
            workers[draw.randrange(3)] = worker(f"w{draw.random()}")
        queue = draw.choice(workers)
        draw.choice(steps)(queue, draw.choice([*sorted(queue._held), "nothing"]))
        places = [*redis.lrange("test:work", 0, -1), *redis.zrange("test:work.Z", 0, -1)]
        for key in redis.keys("test:__acks__.*"):
            places += redis.smembers(key)
        assert sorted(places) == sorted(redis.hkeys("test:work.msgs"))
    done = set(sent) - {id_.decode() for id_ in places}
    assert len(done) > 5


def test_many_that_end_at_once_are_told_of_together(ours: RedisQueue, redis: client.Redis) -> None:
    ids = [f"m{number}" for number in range(400)]
    add(ours, *ids)
    assert take(ours, prefetch=400) == ids
    redis.config_resetstat()
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(lambda id_: ours.done([id_]), ids))
    calls = redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert calls < 200
    assert (take(ours), ours.reclaim(), redis.keys("test:work.msgs")) == ([], 0, [])


def test_each_whose_end_could_not_be_told_hears_of_it_and_tells_again(
    ours: RedisQueue, server: Redis, redis: client.Redis
) -> None:
    ids = [f"m{number}" for number in range(8)]
    add(ours, *ids)
    take(ours)

    def tell(id_: str) -> bool:
        try:
            ours.done([id_])
        except client.RedisError:
            return False
        return True

    server.pause()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(tell, ids))
    # Who came too late for one round trip waits for the next, and nobody for eight: each takes two seconds.
    assert time.monotonic() - began < 10
    assert told == [False] * 8
    server.resume()
    assert all(map(tell, ids))
    assert (ours.reclaim(), redis.keys("test:work.msgs")) == (0, [])
