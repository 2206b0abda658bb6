"""Orders that fall due together are closed together, each as if it were alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.errors import UpstreamNonsense
from domain.money import Fen
from domain.order import repository
from domain.order.closing import Closing, Outcome
from domain.order.ports import Payment
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.states import CloseReason, PaymentStatus, TradeState
from domain.order.transitions import Transitions
from domain.order.watches import LocalChanges
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW, SHANGHAI
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.order.rows import EVENTS, LETTERS, ORDERS, PRICE, add_order, add_rows, after, create_row, steps, stored

CANCELLED, WAIT_PAY, WAIT_USE = TradeState.CANCELLED, TradeState.WAIT_PAY, TradeState.WAIT_USE
TIMEOUT: Final = CloseReason.UNPAID_TIMEOUT


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:  # noqa: FBT001
        # What is executed "many" is sent as often, where its VALUES hold more than parameters.
        sent.extend([statement] * (len(parameters) if many else 1))

    engine = database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine, "before_cursor_execute", note)


async def test_each_comes_to_its_own_end(
    closing: Closing, payments: FakePayments, database: Database, clock: FrozenClock
) -> None:
    clock.at = NOW + PAY_WINDOW
    due, failed, paid, wrong, decided = [(await add_order(database)).sn for _ in range(5)]
    early = (await add_order(database, **after(PAY_WINDOW + timedelta(seconds=1)))).sn
    theirs = (await add_order(database, close_at=None)).sn
    payments.pay(failed, PRICE, PaymentStatus.FAILED)
    payments.pay(paid, PRICE)
    payments.pay(wrong, Fen(PRICE - 1))
    assert await closing.give_up(decided)
    payments.asked.clear()

    outcomes = await closing.close_many([due, failed, paid, wrong, decided, early, theirs, "HSO0"])
    assert outcomes == {
        due: Outcome.CLOSED,
        failed: Outcome.CLOSED,
        paid: Outcome.PAID,
        wrong: Outcome.CLOSED,
        decided: Outcome.DECIDED,
        early: Outcome.EARLY,
        theirs: Outcome.EARLY,
        "HSO0": Outcome.MISSING,
    }
    assert payments.asked == [due, failed, paid, wrong]
    rows = {row["sn"]: (row["trade_state"], row["close_reason"]) for row in await stored(database, ORDERS)}
    assert rows == {
        due: (CANCELLED, TIMEOUT),
        failed: (CANCELLED, CloseReason.PAYMENT_FAILED),
        paid: (WAIT_USE, None),
        wrong: (CANCELLED, TIMEOUT),
        decided: (CANCELLED, CloseReason.GUEST),
        early: (WAIT_PAY, None),
        theirs: (WAIT_PAY, None),
    }
    for sn, (state, reason) in rows.items():
        moved = [] if state is WAIT_PAY else [(WAIT_PAY, state, reason)]
        assert await steps(database, sn) == [(None, WAIT_PAY, None), *moved]


async def test_a_batch_costs_no_more_statements_than_one_order(
    database: Database, clock: FrozenClock, travel: FakeTravel, timer: FakeTimer
) -> None:
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    room = assemble(database, clock, rules, travel=travel, payments=FakePayments(), timer=timer, announces=True)
    clock.at = NOW + PAY_WINDOW
    counts = []
    for size in (1, 150):
        rows = [create_row() for _ in range(size)]
        await add_rows(database, rows)
        with statements(database) as sent:
            outcomes = await room.closing.close_many([row["sn"] for row in rows])
        assert set(outcomes.values()) == {Outcome.CLOSED}
        counts.append(len([statement for statement in sent if not statement.startswith("BEGIN")]))
    # A look, the UPDATE, the history, the nights, the letters.
    assert counts == [5, 5]
    assert len(await stored(database, LETTERS)) == 151


class OneThatMakesNoSense(FakePayments):
    """A payment service that can't tell of one order, and so of no others that are asked for with it."""

    bad = ""

    async def of_orders(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        found = await super().of_orders(order_sns)
        if self.bad in order_sns:
            raise UpstreamNonsense("payment", "the test says so")
        return found


async def test_an_answer_that_makes_no_sense_hides_nobody_elses_money(
    database: Database, clock: FrozenClock, travel: FakeTravel, timer: FakeTimer
) -> None:
    payments = OneThatMakesNoSense()
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    closing = assemble(database, clock, rules, travel=travel, payments=payments, timer=timer).closing
    rows = [create_row() for _ in range(9)]
    await add_rows(database, rows)
    clock.at = NOW + PAY_WINDOW
    sns = [row["sn"] for row in rows]
    for sn in sns:
        payments.pay(sn, PRICE)
    payments.bad = sns[4]
    outcomes = await closing.close_many(sns)
    assert outcomes.pop(payments.bad) is Outcome.CLOSED
    assert set(outcomes.values()) == {Outcome.PAID}


@pytest.mark.parametrize("taken", [[0], [7], [0, 1, 2, 3], [2, 9], list(range(10))])
async def test_of_a_batch_only_what_nobody_else_decided_is_moved(
    room: OrderRoom, database: Database, taken: list[int]
) -> None:
    rows = [create_row() for _ in range(10)]
    await add_rows(database, rows)
    sns = [row["sn"] for row in rows]
    others = {sns[index] for index in taken}
    for sn in others:
        assert await room.transitions.move(sn, current=WAIT_PAY, to=WAIT_USE)
    announcing = Transitions(database, room.clock, LocalChanges(), announces=True)
    moved = await announcing.move_many(sns, current=WAIT_PAY, to=CANCELLED, reason=TIMEOUT)
    assert moved == set(sns) - others
    for sn in sns:
        to, reason = (WAIT_USE, None) if sn in others else (CANCELLED, TIMEOUT)
        assert await steps(database, sn) == [(WAIT_PAY, to, reason)]
    told = {letter["subject"]: letter["payload"] for letter in await stored(database, LETTERS)}
    assert told == {sn: {"sn": sn, "tradeState": "CANCELLED"} for sn in moved}


async def test_what_others_decided_costs_one_more_try(room: OrderRoom, database: Database) -> None:
    rows = [create_row() for _ in range(40)]
    await add_rows(database, rows)
    sns = [row["sn"] for row in rows]
    for sn in sns[::3]:
        assert await room.transitions.move(sn, current=WAIT_PAY, to=WAIT_USE)
    with statements(database) as sent:
        moved = await room.transitions.move_many(sns, current=WAIT_PAY, to=CANCELLED)
    assert moved == set(sns) - set(sns[::3])
    # The UPDATE that moved too few, a look, and the UPDATE, the history and the nights of those that are left.
    assert len([statement for statement in sent if not statement.startswith("BEGIN")]) == 5


async def test_a_condition_holds_for_each_of_a_batch(room: OrderRoom, database: Database, clock: FrozenClock) -> None:
    rows = [create_row(**after(timedelta(seconds=seconds))) for seconds in range(10)]
    await add_rows(database, rows)
    clock.at = NOW + timedelta(seconds=4)
    moved = await room.transitions.move_many(
        [row["sn"] for row in rows], repository.is_due_at(clock.sql_now()), current=WAIT_PAY, to=CANCELLED
    )
    assert moved == {row["sn"] for row in rows[:5]}


async def test_nothing_is_announced_where_nobody_listens(room: OrderRoom, database: Database) -> None:
    order = await add_order(database)
    assert await room.transitions.move(order.sn, current=WAIT_PAY, to=CANCELLED)
    assert await stored(database, LETTERS) == []


async def test_a_move_that_fails_half_way_has_moved_nothing(room: OrderRoom, database: Database) -> None:
    order = await add_order(database)
    # A history that can't be written: the table is away.
    async with database.engine.begin() as connection:
        await connection.execute(sa.text("alter table homestay_order_event rename to gone"))
    try:
        with pytest.raises(sa.exc.DBAPIError):
            await room.transitions.move(order.sn, current=WAIT_PAY, to=CANCELLED)
    finally:
        async with database.engine.begin() as connection:
            await connection.execute(sa.text("alter table gone rename to homestay_order_event"))
    (row,) = await stored(database, ORDERS)
    assert (row["trade_state"], row["version"]) == (WAIT_PAY, 0)
    assert len(await stored(database, EVENTS)) == 1
