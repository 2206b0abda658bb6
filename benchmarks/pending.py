"""What delayed messages cost while they wait: bytes in Redis, and memory of a worker.

A Redis and a worker (`dramatiq workers.actors`, on a SQLite file) run as processes of their own on 127.0.0.1.
The worker's memory is that of the process that runs actors, before the messages are sent and when all of them wait.

    python -m benchmarks.pending [--messages 1000000] [--quick] [--result FILE]
"""

import argparse
import secrets
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.results import PENDING_HEAD, Pending
from bff.cli.progress import Tell, shown
from tests.servers import Process, Redis
from tests.system.installation import Installation
from workers import actors
from workers.broker import CLOSING_QUEUE
from workers.sorted_set_broker import SortedSetBroker, connect

AT_ONCE: Final = 1000
# Milliseconds until the first falls due: the pay window, and longer than any run.
DELAY: Final = 1_200_000
# Seconds in which a worker's memory comes to rest, and in which it looks at what waits some twenty times.
REST: Final = 10


def resident(master: Process) -> int:
    """Bytes of memory of the one worker process under dramatiq's master."""
    (child,) = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text(encoding="ascii").split()
    for line in Path(f"/proc/{child}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"process {child} has no memory")


def used(broker: SortedSetBroker) -> int:
    """Bytes that Redis has given out for data."""
    return int(broker.client.info("memory")["used_memory"])


def send(broker: SortedSetBroker, count: int, tell: Tell) -> None:
    """Sends the messages that close so many orders, showing how far it is."""
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        broker.enqueue_many(
            [
                (actors.close_unpaid_message(f"HSO20260520120000{secrets.token_hex(4).upper()}"), DELAY + number)
                for number in numbers
            ]
        )
        tell("sending messages", numbers.stop, count)


def rest(tell: Tell) -> None:
    """Waits for the worker's memory to come to rest."""
    for second in range(REST):
        tell("letting the worker come to rest", second, REST)
        time.sleep(1)


def measure(count: int) -> Pending:
    """One run, and its figures."""
    with ExitStack() as stack:
        tell = stack.enter_context(shown(steady=False))
        tell("starting Redis and a worker", 0, None)
        # Without its log, which has no part in this and a gigabyte of it.
        redis = stack.enter_context(Redis(appendonly=False).start())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = stack.enter_context(Installation(home, HOMESTAY_BROKER_URL=redis.url))
        if installation.command("migrate").returncode:
            raise SystemExit("the worker's database can't be made")
        worker = installation.start_worker()
        broker = SortedSetBroker(client=connect(redis.url), middleware=[])
        rest(tell)
        idle, empty = resident(worker), used(broker)
        began = time.monotonic()
        send(broker, count, tell)
        took = time.monotonic() - began
        rest(tell)
        loaded, full, waiting = resident(worker), used(broker), broker.delayed(CLOSING_QUEUE)
        broker.client.close()
    if waiting != count:
        raise SystemExit(f"{waiting} of {count} messages wait")
    return Pending(count, took, redis_before=empty, redis_with=full, worker_before=idle, worker_with=loaded)


def main() -> None:
    """Reads the command line, measures, and prints a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pending", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 messages")
    parser.add_argument("--result", type=Path, metavar="FILE", help="write the figures there too, in JSON")
    arguments = parser.parse_args()
    pending = measure(100_000 if arguments.quick else arguments.messages)
    print(f"{PENDING_HEAD}\n{pending.line()}")  # noqa: T201
    if arguments.result:
        pending.write(arguments.result)


if __name__ == "__main__":
    main()
