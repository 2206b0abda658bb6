import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.errors import DatabaseUnavailable, UpstreamUnavailable
from domain.leases import JobLease, Leases
from tests.clock import FrozenClock
from tests.servers import Process, free_port
from workers.clock import SystemClock
from workers.scheduler import Job, Scheduler

ROOT: Final = Path(__file__).parents[2]
EVERY: Final = timedelta(minutes=10)
LIMIT: Final = timedelta(minutes=1)


class Work:
    """A job's work that remembers the notes it was handed, and what else a test wants of it."""

    def __init__(self, *, takes: float = 0, fails: Exception | None = None) -> None:
        self.notes: list[str] = []
        self.ended: list[float] = []
        self.began: list[float] = []
        self.finished = 0
        self.under_way = asyncio.Event()
        self._takes = takes
        self._fails = fails

    async def __call__(self, note: str) -> str | None:
        self.notes.append(note)
        self.began.append(time.monotonic())
        self.under_way.set()
        await asyncio.sleep(self._takes)
        if self._fails is not None:
            raise self._fails
        self.ended.append(time.monotonic())
        self.finished += 1
        return f"run {len(self.notes)}"


def job(work: Work, *, every: timedelta = EVERY, limit: timedelta = LIMIT) -> Job:
    return Job("test", every=every, limit=limit, work=work)


def scheduler(leases: Leases, *jobs: Job, holder: str = "one", margin: timedelta = timedelta()) -> Scheduler:
    return Scheduler(leases, jobs, holder, margin=margin)


@asynccontextmanager
async def another(database: Database) -> AsyncIterator[Database]:
    """The same database, as another process has it."""
    opened = Database(create_engine(database.engine.url))
    yield opened
    await opened.close()


async def lease_row(database: Database) -> dict[str, Any]:
    rows = await database.read(lambda connection: connection.execute(sa.select(table_of(JobLease))))
    return dict(rows.one()._mapping)


async def refuse(_: object) -> None:
    """What a database does that is away."""
    raise DatabaseUnavailable("gone")


@pytest.fixture
def leases(database: Database, clock: FrozenClock) -> Leases:
    return Leases(database, clock)


async def test_many_schedulers_that_look_at_once_run_a_job_once_a_period(
    database: Database, clock: FrozenClock
) -> None:
    work = Work(takes=0.02)
    async with another(database) as second:
        schedulers = [
            scheduler(Leases(each, clock), holder=f"{number}") for each in (database, second) for number in range(5)
        ]
        for period in range(1, 6):
            looked = await asyncio.gather(*(each.look(job(work)) for each in schedulers))
            assert sum(looked) == 1
            assert len(work.notes) == period
            clock.advance(EVERY - timedelta(milliseconds=1))
            assert not any(await asyncio.gather(*(each.look(job(work)) for each in schedulers)))
            clock.advance(timedelta(milliseconds=1))


async def test_two_that_run_leave_a_period_between_two_runs(database: Database) -> None:
    every, work = timedelta(seconds=0.4), Work(takes=0.1)
    async with another(database) as second:
        both = [
            scheduler(Leases(each, SystemClock()), job(work, every=every), holder=holder)
            for each, holder in ((database, "one"), (second, "two"))
        ]
        for each in both:
            await each.start()
        async with asyncio.timeout(30):
            while len(work.began) < 5:  # noqa: ASYNC110 -- it calls nobody
                await asyncio.sleep(0.05)
        for each in both:
            await each.stop()
    gaps = [began - ended for ended, began in zip(work.ended, work.began[1:], strict=False)]
    # The database keeps milliseconds, and its clock is not this process's.
    assert min(gaps) > every.total_seconds() - 0.02


async def test_a_run_is_handed_what_the_last_one_noted(leases: Leases, clock: FrozenClock) -> None:
    work = Work()
    for _ in range(3):
        assert await scheduler(leases).look(job(work))
        clock.advance(EVERY)
    assert work.notes == ["", "run 1", "run 2"]


async def test_a_scheduler_that_was_killed_in_the_middle_of_a_job_is_followed_by_another(database: Database) -> None:
    hold, work = 1.5, Work()
    url = database.engine.url.render_as_string(hide_password=False)
    argv: list[str | Path] = [
        sys.executable,
        ROOT / "tests" / "workers" / "hanging_scheduler.py",
        url,
        "test",
        str(hold),
    ]
    hanging = Process(argv, env={"PYTHONPATH": str(ROOT)}, cwd=ROOT, ready=re.compile("begun"))
    with hanging:
        hanging.start()
        hanging.wait_ready(30)
        taken = (await lease_row(database))["due_at"]
        hanging.kill()
    follower = scheduler(Leases(database, SystemClock()), holder="follower")
    assert not await follower.look(job(work))
    deadline = time.monotonic() + 30
    while not await follower.look(job(work)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert work.notes == [""]
    assert SystemClock().now() >= taken


async def test_a_run_that_takes_too_long_is_cut_off_and_the_next_one_goes_on(
    leases: Leases, clock: FrozenClock
) -> None:
    slow = Work(takes=60)
    with capture_logs() as logs:
        assert await scheduler(leases).look(job(slow, limit=timedelta(milliseconds=50)))
    assert slow.finished == 0
    assert [(each["log_level"], "out of time" in each["event"]) for each in logs] == [("warning", True)]
    clock.advance(EVERY)
    assert await scheduler(leases).look(job(slow, limit=timedelta(milliseconds=50)))
    assert slow.notes == ["", ""]


async def test_a_lease_outlasts_the_longest_run(leases: Leases, database: Database, clock: FrozenClock) -> None:
    held: list[Any] = []

    async def look_at_the_lease(_: str) -> None:
        held.append((await lease_row(database))["due_at"] - clock.now())

    await Scheduler(leases, [], "one").look(Job("test", every=EVERY, limit=LIMIT, work=look_at_the_lease))
    assert held == [LIMIT + timedelta(seconds=10)]


async def test_a_job_that_fails_is_told_once_with_its_trace_and_tried_again(leases: Leases, clock: FrozenClock) -> None:
    failing = Work(fails=RuntimeError("broken"))
    with capture_logs() as logs:
        assert await scheduler(leases).look(job(failing))
    assert [(each["event"], each["log_level"]) for each in logs] == [("job failed", "error")]
    assert str(logs[0]["exc_info"]) == "broken"
    assert not await scheduler(leases).look(job(failing))
    clock.advance(EVERY)
    assert await scheduler(leases).look(job(failing))


async def test_a_job_that_can_not_ask_another_service_is_one_line(leases: Leases) -> None:
    with capture_logs() as logs:
        assert await scheduler(leases).look(job(Work(fails=UpstreamUnavailable("payment", "UNAVAILABLE: away"))))
    assert [(each["log_level"], each["reason"], "exc_info" in each) for each in logs] == [
        ("warning", "UNAVAILABLE: away", False)
    ]


async def test_one_job_that_fails_or_hangs_does_not_keep_another_from_its_turn(leases: Leases) -> None:
    fails, hangs, works = Work(fails=RuntimeError()), Work(takes=60), Work()
    jobs = [Job(f"{number}", EVERY, LIMIT, work) for number, work in enumerate((fails, hangs, works))]
    running = scheduler(leases, *jobs)
    with capture_logs():
        await running.start()
        async with asyncio.timeout(30):
            await asyncio.gather(*(work.under_way.wait() for work in (fails, hangs, works)))
        await running.stop()


async def test_a_stop_in_the_middle_of_a_job_lets_another_one_take_over_at_once(leases: Leases) -> None:
    slow, quick = Work(takes=60), Work()
    running = scheduler(leases, job(slow))
    await running.start()
    async with asyncio.timeout(30):
        await slow.under_way.wait()
        await running.stop()
    assert slow.finished == 0
    assert await scheduler(leases, holder="another").look(job(quick))


async def test_a_stop_between_jobs_is_quick(leases: Leases) -> None:
    work = Work()
    running = scheduler(leases, job(work))
    await running.start()
    async with asyncio.timeout(30):
        await work.under_way.wait()
        await asyncio.sleep(0.1)
        await running.stop()
    await scheduler(leases).stop()  # never started
    assert work.finished == 1


async def test_whoever_lost_its_lease_takes_it_from_nobody(leases: Leases, database: Database) -> None:
    taken = await leases.take("test", "slow", hold=timedelta())
    assert taken is not None
    assert await leases.take("test", "quick", hold=LIMIT) is not None
    assert not await leases.give_back(taken, due_in=timedelta(), note="from the past")
    row = await lease_row(database)
    assert (row["holder"], row["note"]) == ("quick", "")


async def test_a_database_that_is_away_is_one_line_however_often_it_is_asked(clock: FrozenClock) -> None:
    away = Database(create_engine(f"mysql+aiomysql://guest:secret@127.0.0.1:{free_port()}/homestay"))
    waiting, work = scheduler(Leases(away, clock)), Work()
    with capture_logs() as logs:
        for _ in range(3):
            assert not await waiting.look(job(work))
    await away.close()
    assert work.notes == []
    assert [each["log_level"] for each in logs] == ["warning"]
    assert "exc_info" not in logs[0]
    assert "secret" not in str(logs)


async def test_a_database_that_comes_back_is_said_too(leases: Leases, database: Database) -> None:
    work, waiting = Work(), scheduler(leases)
    with capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            patch.setattr(database, "read", refuse)
            assert not await waiting.look(job(work))
            patch.undo()
            await waiting.look(job(work))
    assert [each["log_level"] for each in logs] == ["warning", "info"] * 2
    assert work.finished == 1


async def test_a_database_that_goes_away_under_a_job_is_one_line(
    leases: Leases, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(_: str) -> None:
        monkeypatch.setattr(database, "write", refuse)
        await database.write(lambda connection: connection.execute(sa.text("select 1")))

    with capture_logs() as logs:
        assert await scheduler(leases).look(Job("test", EVERY, LIMIT, lose))
    assert [(each["log_level"], "exc_info" in each) for each in logs] == [("warning", False)]
