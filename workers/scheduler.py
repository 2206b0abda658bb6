"""Periodic jobs, each done by one process at a time: whoever finds a job due takes its lease, and does it.

Any number of schedulers may run; a job that is due has one row, and one conditional UPDATE gives it to one of them. A
scheduler that dies in the middle of a job has only delayed it until its lease ends.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from domain import tracing
from domain.errors import DatabaseUnavailable, Failure
from domain.leases import Lease, Leases

log = structlog.get_logger(__name__)

# What a lease lasts longer than its job may take: a job that is stopped for its time still has that to end in.
MARGIN: Final = timedelta(seconds=10)
# A look costs one SELECT. Four a period keep a job punctual enough, and none waits longer than this for one.
LOOKS: Final = 4
LONGEST_PAUSE: Final = timedelta(minutes=1)
JITTER: Final = 0.2
# Seconds that a stop waits for a lease to be given back; one that is not ends by itself.
_GIVE_BACK_WITHIN: Final = 2.0

_AWAY: Final = (DatabaseUnavailable, OSError)


@dataclass(frozen=True, slots=True)
class Job:
    """Work that comes again and again.

    Attributes:
        name: of its lease; at most 64 characters, and the same in every process.
        every: time from the end of one run to the next.
        limit: time that a run may take; what it has not done then, the next one does.
        work: does it. It is handed the note that the last run left, empty at first, and returns the new one, or None to
            leave it as it is. It may be cut off at any await, and after a crash be run again from the same note.
    """

    name: str
    every: timedelta
    limit: timedelta
    work: Callable[[str], Awaitable[str | None]]


class Scheduler:
    """Looks after its jobs, at once and then until it is stopped.

    Args:
        leases: of the database that all schedulers share.
        jobs: to be done.
        holder: this process, in at most 64 characters; no other has the same.
        margin: what a lease lasts longer than its job's limit.
    """

    name = "scheduler"

    def __init__(self, leases: Leases, jobs: Sequence[Job], holder: str, *, margin: timedelta = MARGIN) -> None:
        self._leases = leases
        self._jobs = jobs
        self._holder = holder
        self._margin = margin
        self._tasks: set[asyncio.Task[None]] = set()
        self._away = False

    async def start(self) -> None:
        """Looks from now on."""
        self._tasks = {asyncio.create_task(self._run(job), name=f"job {job.name}") for job in self._jobs}

    async def stop(self) -> None:
        """Cuts off what is under way; a transaction is committed or not, never half, and others take over at once."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, job: Job) -> None:
        pause = min(job.every / LOOKS, LONGEST_PAUSE).total_seconds()
        while True:
            try:
                await self.look(job)
            except Exception:
                log.exception("scheduler failed", job=job.name)
            await asyncio.sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 -- no secret

    async def look(self, job: Job) -> bool:
        """Does a job if it is due. Returns False where it was not, or is somebody else's, or nobody could tell."""
        try:
            lease = await self._leases.take(job.name, self._holder, hold=job.limit + self._margin)
        except _AWAY as error:
            self._database_is_away(error)
            return False
        self._database_is_back()
        if lease is None:
            return False
        await self._do(job, lease)
        return True

    async def _do(self, job: Job, lease: Lease) -> None:
        note, failure = None, None
        try:
            async with asyncio.timeout(job.limit.total_seconds()) as bound:
                with tracing.span(f"job {job.name}", parent={}):
                    note = await job.work(lease.note)
        except asyncio.CancelledError:
            await self._hand_over(lease)
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the lease goes back first
            failure = error
        try:
            await self._leases.give_back(lease, due_in=job.every, note=note)
        except _AWAY as error:
            self._database_is_away(error)
            if isinstance(failure, _AWAY) and not bound.expired():
                return  # for the same reason
        if bound.expired():
            log.warning("job ran out of time; the next run goes on", job=job.name, limit=job.limit.total_seconds())
        elif isinstance(failure, Failure):
            log.warning("job could not be done", job=job.name, reason=failure.reason)
        elif failure is not None:
            log.error("job failed", job=job.name, exc_info=failure)

    async def _hand_over(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(_GIVE_BACK_WITHIN):
                await self._leases.give_back(lease, due_in=timedelta())
        except _AWAY as error:
            log.warning("lease not given back; it ends by itself", job=lease.name, reason=_reason(error))

    def _database_is_away(self, error: Exception) -> None:
        # Once an outage, not once a look.
        if not self._away:
            log.warning("jobs wait: the database can't be used", reason=_reason(error))
        self._away = True

    def _database_is_back(self) -> None:
        if self._away:
            log.info("jobs go on: the database is back")
        self._away = False


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, Failure) else str(error) or repr(error)
