"""A scheduler in a process of its own whose one job never ends; says `begun` when it has it.

`python hanging_scheduler.py DATABASE_URL JOB SECONDS`: the lease of the job lasts that long.
"""

import asyncio
import sys
from datetime import timedelta

from domain.database import Database
from domain.engine import create_engine
from domain.leases import Leases
from workers.clock import SystemClock
from workers.scheduler import Job, Scheduler


async def hang(_: str) -> None:
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def main(url: str, name: str, seconds: float) -> None:
    leases = Leases(Database(create_engine(url)), SystemClock())
    job = Job(name, every=timedelta(seconds=1), limit=timedelta(seconds=seconds), work=hang)
    await Scheduler(leases, [job], "hanging", margin=timedelta()).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
