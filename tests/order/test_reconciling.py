"""Payments whose message was lost are found, and their orders settled."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from domain.database import Database
from domain.errors import UpstreamUnavailable
from domain.order import reconciling
from domain.order.models import Order
from domain.order.ports import ChangedPayment
from domain.order.reconciling import Reconciling
from domain.order.room import OrderRoom
from domain.order.states import PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.fakes import FakePayments
from tests.order.rows import LETTERS, PRICE, REFUNDS, add_order, after, change, stored

WAIT_PAY, WAIT_USE, CANCELLED = TradeState.WAIT_PAY, TradeState.WAIT_USE, TradeState.CANCELLED
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
OLD: Final = {"create_time": NOW - 5 * MINUTE}


@dataclass
class CountedPayments(FakePayments):
    """A payment service that counts how often it was asked for what changed."""

    listed: int = 0

    async def changed(self, since: datetime, after_id: int, limit: int) -> list[ChangedPayment] | None:
        self.listed += 1
        return await super().changed(since, after_id, limit)

    def change(self, order_sn: str, status: PaymentStatus = PaymentStatus.SUCCESS, *, at: datetime = NOW) -> str:
        """The order's payment comes to stand so, and nobody is told. Returns its sn."""
        self.at = at
        return self.pay(order_sn, PRICE, status).sn


@dataclass
class Settled:
    """The orders that were settled, by the real use case."""

    room: OrderRoom
    sns: list[str] = field(default_factory=list)
    fails_on: dict[str, Exception] = field(default_factory=dict)

    async def __call__(self, sn: str) -> None:
        self.sns.append(sn)
        if sn in self.fails_on:
            raise self.fails_on[sn]
        await self.room.settling.settle(sn)


@pytest.fixture
def payments() -> CountedPayments:
    return CountedPayments()


@pytest.fixture(params=["list", "walk"])
def either(request: pytest.FixtureRequest, payments: CountedPayments) -> str:
    """A payment service that lists what changed, and one that does not."""
    payments.lists_changes = request.param == "list"
    return str(request.param)


@pytest.fixture
def settled(room: OrderRoom) -> Settled:
    return Settled(room)


@pytest.fixture
def reconcile(database: Database, clock: FrozenClock, payments: CountedPayments, settled: Settled) -> Reconciling:
    return Reconciling(database, clock, payments, settled)


async def state(database: Database, order: Order) -> TradeState:
    found = await database.read(
        lambda connection: connection.execute(
            sa.text("select trade_state from homestay_order where sn = :sn"), {"sn": order.sn}
        )
    )
    return TradeState(found.scalar_one())


async def request_refund(database: Database, order_sn: str, payment_sn: str, *, refunded: bool = False) -> None:
    row: dict[str, Any] = {"payment_sn": payment_sn, "order_sn": order_sn, "total": PRICE, "requested_at": NOW}
    row["refunded_at"] = NOW if refunded else None
    await database.write(lambda connection: connection.execute(REFUNDS.insert(), row))


@pytest.mark.usefixtures("either")
async def test_an_order_that_was_paid_unheard_of_is_paid(
    reconcile: Reconciling, database: Database, payments: CountedPayments
) -> None:
    order, other = [await add_order(database, **OLD) for _ in range(2)]
    payments.change(order.sn)
    payments.change(other.sn, PaymentStatus.WAIT)
    await reconcile.run("")
    assert (await state(database, order), await state(database, other)) == (WAIT_USE, WAIT_PAY)


@pytest.mark.usefixtures("either")
async def test_money_that_came_unheard_of_for_a_closed_order_goes_back_once(
    reconcile: Reconciling, database: Database, payments: CountedPayments, settled: Settled
) -> None:
    order = await add_order(database, **OLD, **after(-MINUTE), trade_state=CANCELLED)
    payment_sn = payments.change(order.sn)
    note = await reconcile.run("")
    for _ in range(3):
        note = await reconcile.run(note)
    assert settled.sns == [order.sn]
    assert [row["payment_sn"] for row in await stored(database, REFUNDS)] == [payment_sn]
    assert len(await stored(database, LETTERS)) == 1


@pytest.mark.usefixtures("either")
async def test_a_refund_that_was_made_unheard_of_is_recorded(
    reconcile: Reconciling, database: Database, payments: CountedPayments, settled: Settled
) -> None:
    order = await add_order(database, **OLD, **after(-timedelta(days=1)), trade_state=CANCELLED)
    payment_sn = payments.change(order.sn, PaymentStatus.REFUNDED)
    await request_refund(database, order.sn, payment_sn)
    note = await reconcile.run("")
    assert (await stored(database, REFUNDS))[0]["refunded_at"] == NOW
    await reconcile.run(note)
    assert settled.sns == [order.sn]


async def test_a_second_payment_beside_a_paid_order_goes_back(
    reconcile: Reconciling, database: Database, payments: CountedPayments
) -> None:
    orders = [await add_order(database, trade_state=each) for each in (WAIT_USE, TradeState.USED, TradeState.EXPIRED)]
    second = []
    for order in orders:
        await change(database, order.sn, payment_sn=payments.change(order.sn))
        second.append(payments.pay_again(order.sn, PRICE).sn)
    await reconcile.run("")
    assert sorted(row["payment_sn"] for row in await stored(database, REFUNDS)) == sorted(second)


async def test_an_order_whose_money_went_back_unheard_of_is_refunded(
    reconcile: Reconciling, database: Database, payments: CountedPayments
) -> None:
    order = await add_order(database, trade_state=WAIT_USE)
    await change(database, order.sn, payment_sn=payments.change(order.sn, PaymentStatus.REFUNDED))
    await reconcile.run("")
    assert await state(database, order) is TradeState.REFUNDED


@pytest.mark.usefixtures("either")
async def test_orders_that_know_of_their_payments_are_left_alone(
    reconcile: Reconciling, database: Database, payments: CountedPayments, settled: Settled
) -> None:
    for each in (WAIT_USE, TradeState.USED, TradeState.EXPIRED):
        order = await add_order(database, **OLD, trade_state=each)
        await change(database, order.sn, payment_sn=payments.change(order.sn))
        # The existing system did not write down which payment it was.
        order = await add_order(database, **OLD, trade_state=each)
        payments.change(order.sn)
    for each in (TradeState.REFUNDED, TradeState.USED, CANCELLED):
        order = await add_order(database, **OLD, trade_state=each)
        payments.change(order.sn, PaymentStatus.REFUNDED)
    for each, refunded in ((CANCELLED, False), (WAIT_PAY, False), (WAIT_PAY, True)):
        order = await add_order(database, **OLD, trade_state=each)
        status = PaymentStatus.REFUNDED if refunded else PaymentStatus.SUCCESS
        await request_refund(database, order.sn, payments.change(order.sn, status), refunded=refunded)
    for status in (PaymentStatus.WAIT, PaymentStatus.FAILED):
        for each in TradeState:
            payments.change((await add_order(database, **OLD, trade_state=each)).sn, status)
    await reconcile.run("")
    assert settled.sns == []


async def test_where_nothing_was_missed_a_run_costs_a_question_and_at_most_one_statement(
    reconcile: Reconciling, database: Database, payments: CountedPayments
) -> None:
    ran: list[str] = []

    def remember(_: sa.Connection, __: object, statement: str, *___: object) -> None:
        if statement != "BEGIN":
            ran.append(statement)

    for _ in range(20):
        order = await add_order(database, trade_state=WAIT_USE)
        await change(database, order.sn, payment_sn=payments.change(order.sn))
    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", remember)
    note = await reconcile.run("")
    assert (payments.listed, len(ran)) == (1, 1)
    assert await reconcile.run(note) == note
    assert (payments.listed, len(ran)) == (2, 2)
    payments._changes.clear()
    assert await reconcile.run(note) == note
    assert (payments.listed, len(ran)) == (3, 2)
    assert payments.asked == []


async def test_a_run_goes_on_where_the_last_one_stopped(
    reconcile: Reconciling, database: Database, payments: CountedPayments, clock: FrozenClock, settled: Settled
) -> None:
    first = await add_order(database, trade_state=WAIT_USE)
    await change(database, first.sn, payment_sn=payments.change(first.sn))
    note = await reconcile.run("")
    clock.advance(timedelta(days=30))
    # Nothing ran for a month. What fell into it is older than a first run would look at.
    lost = await add_order(database)
    payments.change(lost.sn, at=NOW + timedelta(days=1))
    await reconcile.run(note)
    assert settled.sns == [lost.sn]


async def test_a_first_run_looks_a_day_back_and_no_further(
    reconcile: Reconciling, database: Database, payments: CountedPayments, settled: Settled
) -> None:
    recent, ancient = [await add_order(database) for _ in range(2)]
    payments.change(recent.sn, at=NOW - timedelta(hours=23))
    payments.change(ancient.sn, at=NOW - timedelta(hours=25))
    await reconcile.run(await reconcile.run("nothing that a run would have noted"))
    assert settled.sns == [recent.sn]


async def test_a_change_that_shows_up_late_is_not_missed(
    reconcile: Reconciling, database: Database, payments: CountedPayments, clock: FrozenClock, settled: Settled
) -> None:
    known = await add_order(database, trade_state=WAIT_USE)
    await change(database, known.sn, payment_sn=payments.change(known.sn))
    note = await reconcile.run("")
    clock.advance(MINUTE)
    late = await add_order(database)
    payments.change(late.sn, at=NOW - 119 * SECOND)
    await reconcile.run(note)
    assert settled.sns == [late.sn]


async def test_more_changes_than_one_run_reads_are_read_by_the_next_ones(
    reconcile: Reconciling,
    database: Database,
    payments: CountedPayments,
    settled: Settled,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciling, "PAGE", 3)
    monkeypatch.setattr(reconciling, "PAGES", 2)
    # Of three changes a second, some end a page and some stand in its middle; all lie within the overlap.
    orders = [await add_order(database) for _ in range(20)]
    for number, order in enumerate(orders):
        payments.change(order.sn, at=NOW - (100 - number // 4) * SECOND)
    note = ""
    for run in range(1, 5):
        note = await reconcile.run(note)
        assert settled.sns == [order.sn for order in orders[: 6 * run]]
    assert payments.listed == 7


async def test_while_the_payment_service_is_away_nothing_is_passed_over(
    reconcile: Reconciling, database: Database, payments: CountedPayments
) -> None:
    order = await add_order(database)
    note = await reconcile.run("")
    payments.change(order.sn)
    payments.down = True
    with pytest.raises(UpstreamUnavailable):
        await reconcile.run(note)
    payments.down = False
    await reconcile.run(note)
    assert await state(database, order) is WAIT_USE


@pytest.mark.parametrize("failure", [UpstreamUnavailable("payment", "away"), RuntimeError("a bug")])
async def test_one_order_that_can_not_be_settled_keeps_no_other_from_it(
    reconcile: Reconciling, database: Database, payments: CountedPayments, settled: Settled, failure: Exception
) -> None:
    stubborn, other = [await add_order(database) for _ in range(2)]
    for order in (stubborn, other):
        payments.change(order.sn)
    settled.fails_on[stubborn.sn] = failure
    with capture_logs():
        if isinstance(failure, UpstreamUnavailable):
            with pytest.raises(UpstreamUnavailable):
                await reconcile.run("")
        else:
            assert await reconcile.run("")
    assert await state(database, other) is WAIT_USE


async def test_money_that_came_for_no_order_is_said_once(reconcile: Reconciling, payments: CountedPayments) -> None:
    payment_sn = payments.change("HSO20260520120000MISSING0")
    note = ""
    with capture_logs() as logs:
        for _ in range(3):
            note = await reconcile.run(note)
    assert [(each["log_level"], each["payment_sn"]) for each in logs] == [("error", payment_sn)]


async def test_the_walk_asks_of_what_waits_and_of_what_closed_within_the_hour(
    reconcile: Reconciling, database: Database, payments: CountedPayments
) -> None:
    payments.lists_changes = False
    hour = timedelta(hours=1)
    waits = await add_order(database, **OLD)
    closed = await add_order(database, **OLD, **after(-hour), trade_state=CANCELLED)
    given_up = await add_order(database, **OLD, **after(10 * MINUTE), trade_state=CANCELLED)
    await add_order(database, create_time=NOW - 59 * SECOND)
    await add_order(database, **OLD, **after(-hour - timedelta(milliseconds=1)), trade_state=CANCELLED)
    await add_order(database, **OLD, close_at=None)
    await add_order(database, **OLD, trade_state=WAIT_USE)
    await reconcile.run("")
    assert payments.asked == [waits.sn, closed.sn, given_up.sn]


async def test_a_long_walk_is_gone_in_parts_and_begun_again_at_its_end(
    reconcile: Reconciling, database: Database, payments: CountedPayments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "QUESTION", 2)
    monkeypatch.setattr(reconciling, "QUESTIONS", 3)
    payments.lists_changes = False
    orders = [
        await add_order(database, **OLD, **after(timedelta(milliseconds=number // 3)), trade_state=each)
        for each in (WAIT_PAY, CANCELLED)
        for number in range(7)
    ]
    walked, note = [order.sn for order in orders], ""
    for expected in (walked[:6], walked[6:11], walked[11:], walked[:6]):
        payments.asked.clear()
        note = await reconcile.run(note)
        assert payments.asked == expected
    assert note.startswith("orders 0 ")


async def test_a_payment_service_that_learns_to_list_is_read_from_then_on(
    reconcile: Reconciling, database: Database, payments: CountedPayments, settled: Settled
) -> None:
    payments.lists_changes = False
    note = await reconcile.run("")
    order = await add_order(database)
    payments.change(order.sn)
    payments.lists_changes = True
    note = await reconcile.run(note)
    assert settled.sns == [order.sn]
    payments.lists_changes = False
    assert (await reconcile.run(note)).startswith("orders")
