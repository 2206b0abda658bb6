"""A round of the fault matrix: a Redis of its own, worker processes, messages, and what became of them."""

import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import dramatiq
import redis

from tests.servers import Process, Redis
from workers.sorted_set_broker import SortedSetBroker, connect

QUEUE: Final = "timers"
THREADS: Final = 8
# Messages that a worker holds at most: those that run and as many more.
HELD: Final = 2 * THREADS
_ROOT: Final = Path(__file__).parents[2]
# Seconds that a run may seem to come before its time: Redis counts in whole milliseconds.
_EARLY: Final = 0.002


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a message, by the wall clock."""

    began: float
    ended: float


@dataclass(slots=True)
class Round:
    """Sends messages, runs workers, and reads what ran. The server is the round's own, to be stopped and starved."""

    server: Redis
    home: Path
    due: dict[str, float] = field(default_factory=dict)
    workers: list[Process] = field(default_factory=list)
    sender: SortedSetBroker = field(init=False)

    def __post_init__(self) -> None:
        self.sender = SortedSetBroker(client=connect(self.server.url), middleware=[])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self.sender.client.close()
        self.server.close()

    def start_worker(self) -> Process:
        """Starts a worker with dramatiq's own command, and waits until it consumes."""
        (worker,) = self.start_workers(1)
        return worker

    def start_workers(self, count: int) -> list[Process]:
        """Starts so many workers at once, and waits until all consume."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(_ROOT),
            "HOMESTAY_BROKER_URL": self.server.url,
            "DIARY": str(self._diary),
        }
        program = Path(sys.executable).with_name("dramatiq")
        argv = [str(program), "tests.workers.timers", "--processes", "1", "--threads", str(THREADS)]
        ready = re.compile("ready for action")
        started = [Process(argv, env=environment, cwd=self.home, ready=ready).start() for _ in range(count)]
        self.workers += started
        for worker in started:
            worker.wait_ready()
        return started

    def send(self, name: str, delays: Iterable[float], *, seconds: float = 0) -> None:
        """Sends a message for each delay (seconds); they are called `name0`, `name1`, …, and run for `seconds`."""
        named = {f"{name}{number}": delay for number, delay in enumerate(delays)}
        sent = time.time()
        self.sender.enqueue_many([(_message(each, seconds), round(delay * 1000)) for each, delay in named.items()])
        self.due |= {each: sent + delay for each, delay in named.items()}

    def runs(self) -> Mapping[str, list[Run]]:
        """What has run to its end until now."""
        found = defaultdict(list)
        if self._diary.exists():
            for line in self._diary.read_text(encoding="utf-8").splitlines():
                name, began, ended = line.split()
                found[name].append(Run(float(began), float(ended)))
        return found

    def wait_until_taken(self, count: int, within: float) -> None:
        """Waits until the workers have taken so many messages."""
        with redis.Redis.from_url(self.server.url) as client:
            _wait_for_none(
                lambda: range(sum(map(client.scard, client.scan_iter("dramatiq:__acks__.*"))), count),
                "not taken",
                within,
            )

    def wait_until_all_ran(self, within: float) -> None:
        """Waits until each message has run."""
        _wait_for_none(lambda: self.due.keys() - self.runs().keys(), "not run", within)

    def wait_until_nothing_is_left(self, within: float) -> None:
        """Waits until the queue holds nothing: no message waiting, taken, or stored for nobody."""
        with redis.Redis.from_url(self.server.url) as client:
            _wait_for_none(
                lambda: [key for key in client.scan_iter("dramatiq:*") if not key.endswith(b".beats")], "left", within
            )

    def ran_again(self) -> int:
        """How many runs there were beyond one for each message."""
        return sum(len(runs) - 1 for runs in self.runs().values())

    def lateness(self, *, since: float = 0, name: str = "") -> float:
        """The worst lateness in seconds of a first run; nothing is late before `since`, a moment of the wall clock.

        No message may have run before its time.
        """
        runs = self.runs()
        late = {
            each: min(run.began for run in runs[each]) - due for each, due in self.due.items() if each.startswith(name)
        }
        assert min(late.values()) > -_EARLY
        return max(late[each] - max(0.0, since - self.due[each]) for each in late)

    @property
    def _diary(self) -> Path:
        return self.home / "diary"


def _message(name: str, seconds: float) -> dramatiq.Message[None]:
    return dramatiq.Message(queue_name=QUEUE, actor_name="note", args=(name, seconds), kwargs={}, options={})


def _wait_for_none(find: Callable[[], Collection[object]], what: str, within: float) -> None:
    deadline = time.monotonic() + within
    while found := find():
        assert time.monotonic() < deadline, f"after {within} s, {len(found)} are {what}: {[*found][:5]}"
        time.sleep(0.05)
