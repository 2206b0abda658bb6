"""The jobs that every worker looks after, done as a worker does them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from domain import outbox
from domain.columns import table_of
from domain.database import Database
from domain.leases import JobLease, Leases
from domain.order.room import OrderRoom
from domain.order.states import TradeState
from domain.outbox import Outbox
from domain.outbox.models import OutboxLetter
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.fakes import FakePayments
from tests.order.rows import ORDERS, PRICE, add_order, stored
from workers import jobs as all_jobs
from workers.jobs import jobs
from workers.scheduler import Job, Scheduler

JULY = datetime(2026, 7, 2, tzinfo=UTC)


async def do_all(room: OrderRoom) -> list[bool]:
    """One look at each job."""
    todo = jobs(room)
    scheduler = Scheduler(Leases(room.database, room.clock), todo, all_jobs.holder())
    return [await scheduler.look(job) for job in todo]


async def notes(database: Database) -> dict[str, str]:
    return {row["name"]: row["note"] for row in await stored(database, table_of(JobLease))}


async def test_a_paid_order_whose_message_was_lost_is_paid_used_and_settled(
    room: OrderRoom, database: Database, clock: FrozenClock, payments: FakePayments
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, PRICE)
    assert all(await do_all(room))
    assert (await stored(database, ORDERS))[0]["trade_state"] is TradeState.WAIT_USE

    clock.at = datetime(2026, 6, 2, 4, tzinfo=UTC)
    await room.stays.check_in(order.sn, order.trade_code)
    clock.at = JULY
    assert all(await do_all(room))
    assert (await stored(database, ORDERS))[0]["trade_state"] is TradeState.USED
    (settlement,) = await room.settlements.of(date(2026, 6, 1))
    assert (settlement.business_id, settlement.total) == (order.homestay_business_id, PRICE)
    assert (await notes(database))["order.settle_months"] == "2026-06-01"
    assert not any(await do_all(room))


async def test_letters_that_were_delivered_are_forgotten_after_a_week(
    room: OrderRoom, database: Database, clock: FrozenClock
) -> None:
    letters: dict[str, dict[str, Any]] = {name: {} for name in ("delivered", "dead", "waits")}
    await database.write(lambda connection: outbox.add(connection, "test", letters, clock.sql_now()))
    post = Outbox(database, clock)
    taken = {letter.subject: letter for letter in await post.take(["test"], 3)}
    await post.delivered(taken["delivered"])
    await post.bury(taken["dead"], error="no")
    for age, left in (
        (timedelta(days=7) - timedelta(milliseconds=1), {"delivered", "dead", "waits"}),
        (timedelta(days=7), {"dead", "waits"}),
    ):
        clock.at = NOW + age
        await database.write(lambda connection: connection.execute(sa.delete(table_of(JobLease))))
        assert all(await do_all(room))
        assert {row["subject"] for row in await stored(database, table_of(OutboxLetter))} == left


async def test_a_note_that_nobody_wrote_is_no_obstacle(room: OrderRoom, database: Database, clock: FrozenClock) -> None:
    assert all(await do_all(room))
    statement = sa.update(table_of(JobLease)).values(note="9999-99-99 what?")
    await database.write(lambda connection: connection.execute(statement))
    clock.advance(timedelta(hours=2))
    assert all(await do_all(room))
    assert (await notes(database))["order.settle_months"] == "2026-04-01"


async def test_no_run_may_take_longer_than_its_period_and_no_two_jobs_share_a_lease(room: OrderRoom) -> None:
    todo: list[Job] = jobs(room)
    assert all(job.limit < job.every for job in todo)
    assert len({job.name for job in todo}) == len(todo) == 5
    assert all(len(job.name) <= 64 for job in todo)


def test_no_two_processes_have_one_name() -> None:
    assert len({all_jobs.holder() for _ in range(10)}) == 10
    assert len(all_jobs.holder()) <= 64
