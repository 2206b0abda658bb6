"""What hostile documents cost, and what others feel of them. `python -m benchmarks.hostile [--quick] [--database …]`.

The goals: a refusal takes less than 50 ms of CPU, and while documents of that kind keep coming, the 99th percentile of
other guests' waits stays below 100 ms. Attackers send from a process of their own, so that their own work keeps no
guest waiting; /livez, which touches nothing but the event loop, tells how long that was held up.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from tests.bff.test_complexity import HOSTILE
from tests.servers import MariaDB, Process, Redis
from tests.system.installation import Installation

# Who keeps sending hostile documents, and who wants something sane meanwhile.
ATTACKERS: Final = 4
GUESTS: Final = 4
ORDERS: Final = 3
# Seconds between a guest's requests.
PAUSE: Final = 0.01
SANE: Final = "{ userHomestayOrderList(first: 20) { nodes { sn title tradeState } } }"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """The CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each document by itself, then others' waits while all of them come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer of each")
    parser.add_argument("--database", choices=("mariadb", "sqlite", "both"), default="both")
    asked = parser.parse_args(arguments)
    for database in ("mariadb", "sqlite") if asked.database == "both" else (asked.database,):
        with installed(database) as (at, process):
            asyncio.run(measure(at, process, database, quick=asked.quick))


@contextmanager
def installed(database: str) -> Iterator[tuple[Installation, Process]]:
    """An installation as in production, or all of it in one process; and the process that guests talk to."""
    unlimited = {"HOMESTAY_VALUES_PER_MINUTE": "0"}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homestay-hostile-")))
        if database == "sqlite":
            at = stack.enter_context(Installation(home, **unlimited))
            yield at, at.start("run")
            return
        mariadb = stack.enter_context(MariaDB(flush_log_at_trx_commit=1).start())
        redis = stack.enter_context(Redis().start())
        at = Installation(home, HOMESTAY_DATABASE_URL=mariadb.url, HOMESTAY_BROKER_URL=redis.url, **unlimited)
        ports = {name: at.environment[f"HOMESTAY_{name}_RPC_PORT"] for name in ("TRAVEL", "PAYMENT")}
        at.environment |= {f"HOMESTAY_{name}_ADDR": f"127.0.0.1:{port}" for name, port in ports.items()}
        stack.enter_context(at)
        at.command("migrate")
        at.start("travel-rpc")
        at.start("payment-rpc")
        yield at, at.start("bff")


async def measure(at: Installation, process: Process, database: str, *, quick: bool) -> None:
    """Says what one database's installation makes of it."""
    token, others = at.token(), at.token(user=8)
    for number in range(ORDERS):
        at.place(token, ahead=30 + 3 * number)
    connection = await Connection.open(at.port)
    for name, document in HOSTILE.items():
        await each(connection, process.pid, name, post(document, others), 20 if quick else 100)
    seconds = 5.0 if quick else 15.0
    calm = await waits(at.port, token, seconds)
    ready, ends = multiprocessing.Event(), multiprocessing.Event()
    attack = multiprocessing.Process(target=attackers, args=(at.port, others, ready, ends))
    attack.start()
    try:
        await asyncio.to_thread(ready.wait, 10)
        attacked = await waits(at.port, token, seconds)
    finally:
        ends.set()
        attack.join(10)
    for name, found in (("alone", calm), (f"beside {ATTACKERS} who send nothing else", attacked)):
        say(f"{database}, guests {name}: {told(found['guests'])}; /livez {told(found['livez'])}")


class Connection:
    """A connection that costs its user next to nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connects."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> None:
        """Sends a request, and reads its answer to the end.

        Raises:
            RuntimeError: the answer is not 200.
        """
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(int(length.partition(b":")[2]))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{head!r} {body!r}")


def post(document: str, token: str) -> bytes:
    """The request with this document."""
    body = json.dumps({"query": document}).encode()
    return (
        f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def each(connection: Connection, pid: int, name: str, request: bytes, times: int) -> None:
    """Says what one document costs the server."""
    await connection.ask(request)
    before = cpu(pid)
    for _ in range(times):
        await connection.ask(request)
    say(f"{name}: {(cpu(pid) - before) / times * 1000:.1f} ms of CPU, {len(request)} bytes")


async def waits(port: int, token: str, seconds: float) -> dict[str, list[float]]:
    """How long guests waited, and /livez, in seconds."""
    found: dict[str, list[float]] = {"guests": [], "livez": []}
    ends = time.perf_counter() + seconds

    async def ask(whose: str, request: bytes) -> None:
        connection = await Connection.open(port)
        while time.perf_counter() < ends:
            began = time.perf_counter()
            await connection.ask(request)
            found[whose].append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)

    async with asyncio.TaskGroup() as group:
        for _ in range(GUESTS):
            group.create_task(ask("guests", post(SANE, token)))
        group.create_task(ask("livez", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    return found


def attackers(port: int, token: str, ready: Event, ends: Event) -> None:
    """Sends hostile documents, one after another by each, until it is to end."""

    async def attack() -> None:
        connection = await Connection.open(port)
        for request in cycle([post(document, token) for document in HOSTILE.values()]):
            if ends.is_set():
                return
            await connection.ask(request)
            ready.set()

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(ATTACKERS):
                group.create_task(attack())

    asyncio.run(together())


def told(found: list[float]) -> str:
    """The median, the 99th percentile and the longest."""
    percentiles = statistics.quantiles(found, n=100)
    return f"{percentiles[49] * 1000:.1f} ms, p99 {percentiles[98] * 1000:.0f} ms, at most {max(found) * 1000:.0f} ms"


def say(line: str) -> None:
    """Prints a line."""
    print(line, flush=True)  # noqa: T201 -- it is a command


if __name__ == "__main__":
    main()
