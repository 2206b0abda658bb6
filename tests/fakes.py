"""Small strangers with a memory: the ports of an order, played in this process and handed in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain.errors import UpstreamUnavailable
from domain.money import Fen
from domain.order.ports import Homestay, Payment
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


@dataclass
class FakePayments:
    """A payment service that keeps one payment an order; remembers what it was asked and what it returned."""

    payments: dict[str, Payment] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refunded: list[str] = field(default_factory=list)
    opened_with: list[datetime] = field(default_factory=list)
    can_refund: bool = True
    down: bool = False

    def pay(self, order_sn: str, total: Fen, status: PaymentStatus = PaymentStatus.SUCCESS) -> Payment:
        """Money comes (or fails to, or goes back), whether or not anybody opened a payment."""
        paid_at = datetime(2026, 5, 20, 4, 5, tzinfo=UTC) if status is PaymentStatus.SUCCESS else None
        payment = Payment(f"PMT{order_sn[3:]}", order_sn, "WECHAT_PAY", total, status, paid_at)
        self.payments[order_sn] = payment
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
        self._answer()
        return {sn: [self.payments[sn]] for sn in order_sns if sn in self.payments}

    async def refund(self, order_sn: str, payment_sn: str) -> bool:  # noqa: ARG002
        self._answer()
        if not self.can_refund:
            return False
        self.refunded.append(order_sn)
        self.payments[order_sn] = replace(self.payments[order_sn], status=PaymentStatus.REFUNDED)
        return True

    def _answer(self) -> None:
        if self.down:
            raise UpstreamUnavailable("payment", "the test says so")


@dataclass
class FakeTimer:
    """Remembers whom it should wake, and when."""

    set: list[tuple[str, float]] = field(default_factory=list)

    def close_unpaid(self, sn: str, *, after: float) -> None:
        self.set.append((sn, after))
