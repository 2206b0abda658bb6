"""Small strangers with a memory: the ports of an order, played in this process and handed in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from domain.errors import UpstreamUnavailable
from domain.money import Fen
from domain.order.ports import ChangedPayment, Found, Homestay, Payment
from domain.order.states import PaymentStatus
from tests.factories import create_homestay


@dataclass
class FakeTravel:
    """A travel service with homestay 1, until a test says otherwise; remembers what it was asked."""

    homestays: dict[int, Homestay] = field(default_factory=lambda: {1: create_homestay(id=1)})
    asked: list[int] = field(default_factory=list)
    down: bool = False

    def offer(self, homestay: Homestay) -> Homestay:
        self.homestays[homestay.id] = homestay
        return homestay

    async def homestay(self, homestay_id: int) -> Homestay | None:
        self.asked.append(homestay_id)
        if self.down:
            raise UpstreamUnavailable("travel", "the test says so")
        return self.homestays.get(homestay_id)

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        found: dict[int, Found] = {}
        for each in homestay_ids:
            try:
                found[each] = await self.homestay(each)
            except UpstreamUnavailable as error:
                found[each] = error
        return found


# Which payment of an order matters most, as the payment service has it.
_PRECEDENCE: Final = (PaymentStatus.SUCCESS, PaymentStatus.REFUNDED, PaymentStatus.WAIT, PaymentStatus.FAILED)


@dataclass
class FakePayments:
    """A payment service that remembers what it was asked and what it returned.

    Attributes:
        payments: of each order, the payment that matters most.
        beside: its other payments, in the order in which they matter.
        asked: the orders it was asked for, one by one or together.
        questions: the same, as they were asked for together.
        refunded: the orders of the payments that it returned.
        refunded_payments: these payments.
        at: when what changes now changes; whole seconds.
        lists_changes: whether it knows `changed`, as older services do not.
    """

    payments: dict[str, Payment] = field(default_factory=dict)
    beside: dict[str, list[Payment]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    questions: list[list[str]] = field(default_factory=list)
    refunded: list[str] = field(default_factory=list)
    refunded_payments: list[str] = field(default_factory=list)
    opened_with: list[datetime] = field(default_factory=list)
    can_refund: bool = True
    lists_changes: bool = True
    down: bool = False
    at: datetime = datetime(2026, 5, 20, 4, 5, tzinfo=UTC)
    _changes: dict[str, ChangedPayment] = field(default_factory=dict)

    def pay(self, order_sn: str, total: Fen, status: PaymentStatus = PaymentStatus.SUCCESS) -> Payment:
        """Money comes (or fails to, or goes back), whether or not anybody opened a payment."""
        payment = self._new(f"PMT{order_sn[3:]}", order_sn, total, status)
        self.payments[order_sn] = payment
        return payment

    def pay_again(self, order_sn: str, total: Fen, status: PaymentStatus = PaymentStatus.SUCCESS) -> Payment:
        """Money comes by one more payment of the order, which takes its place among the others."""
        others = self._of(order_sn)
        payment = self._new(f"P{len(others)}T{order_sn[3:]}", order_sn, total, status)
        self._put(order_sn, [*others, payment])
        return payment

    async def open(self, *, order_sn: str, user_id: int, total: Fen, pay_before: datetime) -> Payment:  # noqa: ARG002 -- the port's signature
        self._answer()
        self.opened_with.append(pay_before)
        found = self.payments.get(order_sn)
        if found is not None and found.status is not PaymentStatus.FAILED:
            return found
        return self.pay(order_sn, total, PaymentStatus.WAIT)

    async def of_order(self, order_sn: str) -> Payment | None:
        self.asked.append(order_sn)
        self._answer()
        return self.payments.get(order_sn)

    async def of_orders(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        self.asked.extend(order_sns)
        self.questions.append(list(order_sns))
        self._answer()
        return {order_sn: self._of(order_sn) for order_sn in order_sns}

    async def changed(self, since: datetime, after_id: int, limit: int) -> list[ChangedPayment] | None:
        self._answer()
        if not self.lists_changes:
            return None
        places = sorted(self._changes.values(), key=lambda change: (change.changed_at, change.id))
        return [change for change in places if (change.changed_at, change.id) > (since, after_id)][:limit]

    async def refund(self, order_sn: str, payment_sn: str) -> bool:
        self._answer()
        if not self.can_refund:
            return False
        payments = {payment.sn: payment for payment in self._of(order_sn)}
        if payment_sn not in payments or payments[payment_sn].paid_at is None:
            raise UpstreamUnavailable("payment", "it knows no payment to return")
        payments[payment_sn] = self._changed(replace(payments[payment_sn], status=PaymentStatus.REFUNDED))
        self._put(order_sn, payments.values())
        self.refunded.append(order_sn)
        self.refunded_payments.append(payment_sn)
        return True

    def _of(self, order_sn: str) -> list[Payment]:
        first = self.payments.get(order_sn)
        return [] if first is None else [first, *self.beside.get(order_sn, [])]

    def _put(self, order_sn: str, payments: Iterable[Payment]) -> None:
        first, *others = sorted(payments, key=lambda payment: _PRECEDENCE.index(payment.status))
        self.payments[order_sn], self.beside[order_sn] = first, others

    def _new(self, sn: str, order_sn: str, total: Fen, status: PaymentStatus) -> Payment:
        paid_at = self.at if status in {PaymentStatus.SUCCESS, PaymentStatus.REFUNDED} else None
        return self._changed(Payment(sn, order_sn, "WECHAT_PAY", total, status, paid_at))

    def _changed(self, payment: Payment) -> Payment:
        before = self._changes.get(payment.sn)
        number = len(self._changes) + 1 if before is None else before.id
        self._changes[payment.sn] = ChangedPayment(payment, number, self.at)
        return payment

    def _answer(self) -> None:
        if self.down:
            raise UpstreamUnavailable("payment", "the test says so")


@dataclass
class FakeTimer:
    """Remembers whom it should wake, and when."""

    set: list[tuple[str, float]] = field(default_factory=list)

    def close_unpaid(self, sn: str, *, after: float) -> None:
        self.set.append((sn, after))
