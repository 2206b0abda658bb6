"""What hostile documents cost, and what others feel of them. `python -m benchmarks.hostile [--quick]`.

The goals: a refusal takes less than 50 ms of CPU, and while documents of that kind keep coming, the 99th percentile of
other guests' waits stays below 100 ms.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx

from tests.bff.test_complexity import HOSTILE
from tests.system.installation import Installation

# Who keeps sending hostile documents, and who wants something sane meanwhile.
ATTACKERS: Final = 4
GUESTS: Final = 4
SANE: Final = "{ userHomestayOrderList(first: 20) { nodes { sn title tradeState } } }"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """The CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each document by itself, then others' waits while all of them come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer of each")
    quick = parser.parse_args(arguments).quick
    with tempfile.TemporaryDirectory(prefix="homestay-hostile-") as directory, Installation(Path(directory)) as at:
        process = at.start("run", HOMESTAY_VALUES_PER_MINUTE="0")
        headers = {"Authorization": f"Bearer {at.token()}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}", headers=headers, timeout=30) as http:
            await ask(http, SANE)
            for name, document in HOSTILE.items():
                await each(http, process.pid, name, document, 20 if quick else 100)
            calm = await waits(http, 3.0 if quick else 10.0, attacked=False)
            attacked = await waits(http, 3.0 if quick else 10.0, attacked=True)
    say(f"others' waits: {told(calm)} alone; {told(attacked)} beside {ATTACKERS} who send nothing else")


async def ask(http: httpx.AsyncClient, document: str) -> None:
    """Sends a document."""
    (await http.post("/graphql", json={"query": document})).raise_for_status()


async def each(http: httpx.AsyncClient, pid: int, name: str, document: str, times: int) -> None:
    """Says what one document costs the server."""
    await ask(http, document)
    before = cpu(pid)
    for _ in range(times):
        await ask(http, document)
    say(f"{name}: {(cpu(pid) - before) / times * 1000:.1f} ms of CPU, {len(document)} bytes")


async def waits(http: httpx.AsyncClient, seconds: float, *, attacked: bool) -> list[float]:
    """How long guests waited, in seconds."""
    found: list[float] = []
    ends = time.perf_counter() + seconds

    async def guest() -> None:
        while time.perf_counter() < ends:
            began = time.perf_counter()
            await ask(http, SANE)
            found.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)

    async def attacker() -> None:
        for document in cycle(HOSTILE.values()):
            if time.perf_counter() >= ends:
                return
            await ask(http, document)

    async with asyncio.TaskGroup() as group:
        for _ in range(GUESTS):
            group.create_task(guest())
        for _ in range(ATTACKERS if attacked else 0):
            group.create_task(attacker())
    return found


def told(found: list[float]) -> str:
    """The median and the 99th percentile."""
    return f"{statistics.median(found) * 1000:.0f} ms, p99 {statistics.quantiles(found, n=100)[98] * 1000:.0f} ms"


def say(line: str) -> None:
    """Prints a line."""
    print(line, flush=True)  # noqa: T201 -- it is a command


if __name__ == "__main__":
    asyncio.run(main())
