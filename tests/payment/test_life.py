"""The life of an order's payments, against a model of a few lines: whatever happens, in whatever order."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.errors import InvalidTransition, PaymentNotFound
from domain.outbox.models import OutboxLetter
from domain.payment.models import Payment, ThirdPayment
from domain.payment.requests import Charge, Notice
from domain.payment.service import Payments
from domain.payment.states import PayStatus
from tests.clock import FrozenClock
from tests.payment.calls import ORDER, ZONE, Announcements, rows
from tests.payment.test_states import LEGAL

FAILED, WAIT, SUCCESS, REFUNDED = PayStatus.FAILED, PayStatus.WAIT, PayStatus.SUCCESS, PayStatus.REFUNDED
CHARGE = Charge(user_id=7, order_sn=ORDER, pay_mode="WECHAT_PAY", total=59_800)

CREATE, REFUND = "create", "refund"
# The provider's word on one of the payments so far.
Word = tuple[int, PayStatus]
words = st.tuples(st.integers(0, 3), st.sampled_from([FAILED, FAILED, SUCCESS, SUCCESS, REFUNDED, WAIT]))


@dataclass
class Order:
    """An order's payments as they should be: their statuses, in the order of opening and in that of being paid."""

    statuses: dict[str, PayStatus] = field(default_factory=dict)
    paid: list[str] = field(default_factory=list)

    def first(self) -> str | None:
        for status, sns in ((SUCCESS, self.paid), (REFUNDED, self.paid), (WAIT, [*self.statuses])):
            for sn in sns:
                if self.statuses[sn] is status:
                    return sn
        return next(reversed(self.statuses), None)

    def is_open_for_another(self) -> bool:
        return all(status is FAILED for status in self.statuses.values())


class World:
    """The payments of one order, real and as they should be."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FrozenClock(datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC))
        self.announcements = Announcements(database)
        self.payments = Payments(database, self.announcements.wake, self.clock, zone=ZONE)
        self.order = Order()
        self.expected: list[tuple[str, int]] = []

    async def create(self) -> None:
        payment = await self.payments.create(CHARGE)
        if self.order.is_open_for_another():
            assert payment.sn not in self.order.statuses
            self.order.statuses[payment.sn] = WAIT
        assert payment.sn == self.order.first()

    async def notify(self, which: int, status: PayStatus) -> None:
        if which >= len(self.order.statuses):
            return
        sn = list(self.order.statuses)[which]
        current = self.order.statuses[sn]
        notice = Notice(sn=sn, status=status)
        if current is not status and (current, status) not in LEGAL:
            with pytest.raises(InvalidTransition):
                await self.payments.update(notice)
            return
        assert (await self.payments.update(notice)).pay_status is status
        if status is SUCCESS and current is not SUCCESS:
            self.order.paid.append(sn)
        self.order.statuses[sn] = status
        if status is not WAIT:
            self.expected.append((ORDER, status))

    async def refund(self) -> None:
        if not self.order.paid:
            with pytest.raises(PaymentNotFound):
                await self.payments.refund(ORDER)
            return
        assert (await self.payments.refund(ORDER)).pay_status is REFUNDED
        self.order.statuses |= dict.fromkeys(self.order.paid, REFUNDED)
        self.expected.append((ORDER, REFUNDED))

    async def look(self) -> None:
        stored = await rows(self.database)
        assert {row["sn"]: row["pay_status"] for row in stored} == self.order.statuses
        # No money is ever forgotten, and none is dated to nowhere.
        assert {row["sn"] for row in stored if row["pay_time"] is not None} == set(self.order.paid)
        # What is open always holds the order's one place, and what failed never does.
        places = {(row["pay_status"], row["live_order_sn"]) for row in stored}
        assert places.isdisjoint({(WAIT, None), (FAILED, ORDER)})
        assert sum(row["live_order_sn"] is not None for row in stored) <= 1
        assert await _sn_or_none(self.payments.of_order(ORDER)) == self.order.first()
        assert await self.announcements.made() == self.expected


async def _sn_or_none(question: Awaitable[Payment]) -> str | None:
    try:
        return (await question).sn
    except PaymentNotFound:
        return None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.just(CREATE) | st.just(REFUND) | words, min_size=1, max_size=25))
def test_whatever_happens_the_payments_of_an_order_are_as_they_should_be(acts: list[str | Word]) -> None:
    async def live() -> None:
        database = Database(create_engine("sqlite+aiosqlite:///:memory:"))
        async with database.engine.begin() as connection:
            for model in (ThirdPayment, OutboxLetter):
                await connection.run_sync(table_of(model).create)
        world = World(database)
        try:
            for act in [CREATE, *acts]:
                world.clock.advance(timedelta(seconds=1))
                match act:
                    case (which, status):
                        await world.notify(which, status)
                    case "create":
                        await world.create()
                    case _:
                        await world.refund()
                await world.look()
        finally:
            await database.close()

    asyncio.run(live())
