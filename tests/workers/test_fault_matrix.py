"""What becomes of delayed messages when workers and Redis fail: all run, how often, and how late at worst.

Real servers, real worker processes, the broker as it is shipped. The run ends with a line for each measurement: the
lateness counts from the moment that a message was due, or that Redis was whole again or the new worker up.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.servers import Redis, require
from tests.workers.rounds import HELD, THREADS, Round


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Round]:
    with Round(require(Redis().start), tmp_path) as opened:
        yield opened


def spread(count: int, start: float, end: float) -> list[float]:
    """So many delays, evenly from `start` to `end` seconds."""
    return [start + (end - start) * number / count for number in range(count)]


def judge(running: Round, figures: list[str], scenario: str, *, bound: float, since: float = 0, name: str = "") -> None:
    """Measures, tells of it, and holds the lateness to its bound."""
    sent = sum(each.startswith(name) for each in running.due)
    late = running.lateness(since=since, name=name)
    figures.append(
        f"{scenario:<60}{sent:>6} sent, {running.ran_again():>3} again, {late:>6.2f} s late, {bound:>2} at most"
    )
    assert late < bound


@pytest.mark.parametrize("successor", ["another", "restarted"])
def test_a_worker_is_killed_with_messages_in_its_hands(running: Round, figures: list[str], successor: str) -> None:
    doomed, *_ = running.start_workers(2 if successor == "another" else 1)
    # As many as the workers hold at most, so that it surely dies with messages taken.
    held = HELD * len(running.workers)
    running.send("held", [1.0] * held, seconds=1)
    running.send("waiting", spread(5000 - held, 3.0, 7.0))
    running.wait_until_taken(held, within=20)
    doomed.kill()
    if successor == "restarted":
        running.start_worker()
    goes_on = time.time()
    running.wait_until_all_ran(within=60)
    # What it held waits until it counts as dead (5 s), and for the threads, which have two seconds' work of such.
    judge(
        running, figures, f"worker killed, {successor} one goes on: what it held", since=goes_on, bound=12, name="held"
    )
    judge(
        running, figures, f"worker killed, {successor} one goes on: what waited", since=goes_on, bound=8, name="waiting"
    )


def test_a_worker_is_frozen_and_comes_back(running: Round, figures: list[str]) -> None:
    frozen, _ = running.start_workers(2)
    running.send("held", [1.0] * HELD * 2, seconds=0.5)
    running.send("waiting", spread(500, 3.0, 6.0))
    running.wait_until_taken(HELD * 2, within=20)
    frozen.pause()
    running.wait_until_all_ran(within=30)
    frozen.resume()
    # It ends what it had begun, and finds that it was taken over: no harm is done, and nothing is lost.
    running.wait_until_nothing_is_left(within=10)
    judge(running, figures, "worker frozen, another one goes on", bound=12)
    assert running.ran_again() <= HELD


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to Redis, and for how many seconds."""

    name: str
    seconds: float
    begin: Callable[[Redis], None]
    end: Callable[[Redis], None]
    # A Redis that only takes nothing more gives out what it has.
    holds_up: bool = True

    def __str__(self) -> str:
        return f"{self.name} for {self.seconds:g} s"


def order(*command: str | int) -> Callable[[Redis], None]:
    """A fault, or its end, that the server can be told."""

    def tell(server: Redis) -> None:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command(*command)

    return tell


FAULTS = [
    Fault("away", 2, Redis.kill, Redis.restart),
    Fault("away", 15, Redis.kill, Redis.restart),
    Fault("hung", 3, Redis.pause, Redis.resume),
    Fault(
        "out of memory",
        4,
        order("CONFIG", "SET", "maxmemory", 1),
        order("CONFIG", "SET", "maxmemory", 0),
        holds_up=False,
    ),
    Fault("read-only", 4, order("REPLICAOF", "127.0.0.1", 1), order("REPLICAOF", "NO", "ONE")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_messages_fall_due_while_redis_fails(running: Round, figures: list[str], fault: Fault) -> None:
    # Two, so that one could take the other, cut off as well, for dead.
    running.start_workers(2)
    begins, ends = 1.0, 1.0 + fault.seconds
    sent = time.time()
    running.send("underway", [begins - 0.5] * THREADS, seconds=1)
    # The consumers are idle by then, and ask for messages after the forwarders have asked for what is due.
    running.send("meanwhile", spread(500, begins + 0.1, ends))
    running.send("afterwards", spread(100, ends + 0.5, ends + 1.5))
    running.wait_until_taken(THREADS, within=20)
    time.sleep(max(0, sent + begins - time.time()))
    fault.begin(running.server)
    time.sleep(fault.seconds)
    fault.end(running.server)
    whole = time.time()
    running.wait_until_all_ran(within=30)
    running.wait_until_nothing_is_left(within=20)
    judge(running, figures, f"Redis {fault}", since=whole if fault.holds_up else 0, bound=5)
    # Nobody died, so nothing was taken over.
    assert running.ran_again() == 0


def test_a_redis_that_is_wiped_loses_what_waits_and_serves_what_comes(running: Round, figures: list[str]) -> None:
    running.start_worker()
    running.send("lost", spread(100, 2.0, 3.0))
    time.sleep(0.5)
    running.server.wipe()
    lost = dict(running.due)
    running.due.clear()
    running.send("new", spread(100, 0.5, 1.5))
    running.wait_until_all_ran(within=10)
    time.sleep(max(lost.values()) + 1 - time.time())
    # Not even a broker can tell what it has forgotten: the orders' own rows can, and the sweep reads those.
    assert not lost.keys() & running.runs().keys()
    judge(running, figures, "Redis wiped: what comes afterwards", bound=5)
    assert running.ran_again() == 0


def test_messages_of_a_minute_keep_none_of_seconds_waiting(running: Round, figures: list[str]) -> None:
    running.start_worker()
    running.send("minute", [60.0] * 100)
    running.due.clear()
    running.send("seconds", [3.0] * 10)
    running.wait_until_all_ran(within=10)
    judge(running, figures, "100 messages of 60 s, then 10 of 3 s", bound=5)
    assert running.sender.delayed("timers") == 100


def test_a_worker_is_restarted_in_order_with_a_backlog(running: Round, figures: list[str]) -> None:
    worker = running.start_worker()
    running.send("backlog", [1.0] * 1500, seconds=0.01)
    running.send("later", spread(1500, 1.5, 5.0))
    running.wait_until_taken(HELD, within=20)
    assert worker.terminate() == 0
    assert len(running.runs()) < 1500
    running.start_worker()
    goes_on = time.time()
    running.wait_until_all_ran(within=30)
    # The backlog of 1500 x 10 ms takes eight threads two seconds.
    judge(running, figures, "worker restarted in order, 3,000 pending", since=goes_on, bound=8)
    assert running.ran_again() == 0
    running.wait_until_nothing_is_left(within=20)
