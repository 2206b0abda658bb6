"""Work that one process at a time does: whoever comes first has it, and whoever dies has only delayed it."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

from domain.columns import table_of
from domain.database import Database
from domain.leases import JobLease, Lease, Leases
from tests.clock import FrozenClock
from tests.conftest import NOW
from workers.clock import SystemClock

JOB: Final = "settle"
HOLD: Final = timedelta(seconds=60)
TICK: Final = timedelta(milliseconds=1)
JOBS: Final = table_of(JobLease)


async def jobs(database: Database) -> list[dict[str, Any]]:
    found = await database.read(lambda connection: connection.execute(sa.select(JOBS).order_by(JOBS.c.name)))
    return [dict(row._mapping) for row in found]


async def taken(leases: Leases, holder: str = "one", *, name: str = JOB, hold: timedelta = HOLD) -> Lease:
    lease = await leases.take(name, holder, hold=hold)
    assert lease is not None
    return lease


async def test_a_job_that_nobody_ever_did_is_due(database: Database, clock: FrozenClock) -> None:
    assert await taken(Leases(database, clock)) == Lease(JOB, "one", NOW + HOLD, "")
    assert await jobs(database) == [{"name": JOB, "due_at": NOW + HOLD, "holder": "one", "note": ""}]


async def test_while_one_has_it_nobody_else_does_not_even_the_same_again(
    database: Database, clock: FrozenClock
) -> None:
    leases = Leases(database, clock)
    await taken(leases, "one")
    clock.advance(HOLD - TICK)
    assert await leases.take(JOB, "two", hold=HOLD) is None
    assert await leases.take(JOB, "one", hold=HOLD) is None
    assert (await jobs(database))[0]["holder"] == "one"


async def test_jobs_do_not_wait_for_each_other(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    await taken(leases, name="purge")
    await taken(leases, name="settle")
    assert [job["name"] for job in await jobs(database)] == ["purge", "settle"]


async def test_of_many_that_come_first_ever_one_gets_it(database: Database, clock: FrozenClock) -> None:
    for number in range(10):
        name = f"job{number}"
        answers = await asyncio.gather(
            *(Leases(database, clock).take(name, f"holder{who}", hold=HOLD) for who in range(8))
        )
        (winner,) = [lease for lease in answers if lease is not None]
        (row,) = [job for job in await jobs(database) if job["name"] == name]
        assert row["holder"] == winner.holder


async def test_of_many_that_come_when_it_is_due_one_gets_it(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    await taken(leases)
    for _ in range(10):
        clock.advance(HOLD)
        answers = await asyncio.gather(*(leases.take(JOB, f"holder{who}", hold=HOLD) for who in range(8)))
        (winner,) = [lease for lease in answers if lease is not None]
        assert (await jobs(database))[0]["holder"] == winner.holder


async def test_a_job_whose_holder_died_is_taken_by_another_when_its_time_is_over(
    database: Database, clock: FrozenClock
) -> None:
    leases = Leases(database, clock)
    await taken(leases, "dies")
    clock.advance(HOLD)
    assert (await taken(leases, "lives")).until == NOW + 2 * HOLD


async def test_a_job_that_is_done_is_due_again_after_its_time_and_nobodys_until_then(
    database: Database, clock: FrozenClock
) -> None:
    leases = Leases(database, clock)
    lease = await taken(leases, "one")
    clock.advance(timedelta(seconds=3))
    assert await leases.give_back(lease, due_in=timedelta(minutes=5))
    assert (await jobs(database))[0]["holder"] == ""
    clock.advance(timedelta(minutes=5) - TICK)
    assert await leases.take(JOB, "two", hold=HOLD) is None
    clock.advance(TICK)
    await taken(leases, "two")


async def test_a_note_comes_to_whoever_does_it_next(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    assert await leases.give_back(await taken(leases, "one"), due_in=timedelta(), note="as far as 2026-05")
    second = await taken(leases, "two")
    assert second.note == "as far as 2026-05"
    assert await leases.give_back(second, due_in=timedelta())
    third = await taken(leases, "three")
    assert third.note == "as far as 2026-05"
    assert await leases.give_back(third, due_in=timedelta(), note="")
    assert (await taken(leases, "four")).note == ""


async def test_a_job_that_was_lost_cant_be_given_back(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    slow = await taken(leases, "one")
    clock.advance(HOLD)
    # The same name: two processes that call themselves alike are still two.
    await taken(leases, "one")
    before = await jobs(database)
    assert not await leases.give_back(slow, due_in=timedelta(), note="mine")
    assert await jobs(database) == before


async def test_a_job_is_given_back_once(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    lease = await taken(leases)
    assert await leases.give_back(lease, due_in=timedelta(minutes=5))
    assert not await leases.give_back(lease, due_in=timedelta())


async def test_a_holder_that_was_late_may_give_back_what_nobody_took(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    lease = await taken(leases)
    clock.advance(2 * HOLD)
    assert await leases.give_back(lease, due_in=timedelta(minutes=5), note="done")
    assert await leases.take(JOB, "two", hold=HOLD) is None


async def test_a_hold_finer_than_a_millisecond_is_still_the_holders(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    lease = await taken(leases, hold=timedelta(seconds=1, microseconds=1_999))
    assert await leases.give_back(lease, due_in=timedelta())


async def test_to_ask_for_what_is_not_due_writes_nothing(database: Database, clock: FrozenClock) -> None:
    leases = Leases(database, clock)
    await taken(leases)
    written: list[str] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        written.append(statement.split(maxsplit=1)[0])

    assert await leases.take(JOB, "two", hold=HOLD) is None
    assert set(written) <= {"SELECT", "BEGIN"}


async def test_it_all_holds_by_the_databases_own_clock(database: Database) -> None:
    leases = Leases(database, SystemClock())
    lease = await taken(leases, "one", hold=timedelta(seconds=0.3))
    assert await leases.take(JOB, "two", hold=HOLD) is None
    await asyncio.sleep(0.35)
    other = await taken(leases, "two")
    assert other.until - lease.until > timedelta(seconds=59)
    assert not await leases.give_back(lease, due_in=timedelta())
    assert await leases.give_back(other, due_in=timedelta(seconds=0.2))
    assert await leases.take(JOB, "three", hold=HOLD) is None
    await asyncio.sleep(0.25)
    await taken(leases, "three")
