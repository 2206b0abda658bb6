"""The judge of money: what came and was kept is what paid orders cost; all else went back, once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.chaos.books import Books, OrderRow, PaymentRow
from tests.chaos.findings import MONEY, Finding, Verdict
from tests.chaos.ledger import Ledger

PAID: Final = frozenset({TradeState.WAIT_USE, TradeState.USED, TradeState.EXPIRED})
MONEY_CAME: Final = frozenset({PaymentStatus.SUCCESS, PaymentStatus.REFUNDED})


def check(books: Books, ledger: Ledger, verdict: Verdict, *, since: datetime) -> Iterator[Finding]:
    """A paid order has one payment of its price; all other money goes back, once.

    Args:
        books: what the tables say.
        ledger: what the provider was told, for the figures.
        verdict: where the figures go.
        since: money that moved later may still be on its way.
    """
    moving = {payment.order_sn for payment in books.payments if payment.update_time >= since}
    payments_of = books.payments_of()
    orders = {order.sn: order for order in books.orders}
    for order in books.orders:
        came = [payment for payment in payments_of.get(order.sn, []) if payment.pay_status in MONEY_CAME]
        _count(order, came, ledger, verdict)
        if order.sn not in moving:
            yield from _order(order, came)
    for payment in books.payments:
        if payment.order_sn not in orders:
            yield Finding(MONEY, payment.sn, f"is for {payment.order_sn}, which is not there")
    yield from _refunds(books, ledger, verdict, moving)
    yield from _sums(books, moving)


def _count(order: OrderRow, came: list[PaymentRow], ledger: Ledger, verdict: Verdict) -> None:
    due = max(0, len(came) - 1) if order.trade_state in PAID else len(came)
    verdict.refunds_due += due
    verdict.refunds_made += min(due, sum(payment.pay_status == PaymentStatus.REFUNDED for payment in came))
    if order.trade_state == TradeState.CANCELLED and order.close_reason != CloseReason.GUEST:
        verdict.paid_in_vain += any(_in_time(payment, order, ledger) for payment in came)


def _in_time(payment: PaymentRow, order: OrderRow, ledger: Ledger) -> bool:
    told = _told(ledger, payment.sn)
    return told is not None and told < order.close_at


def _told(ledger: Ledger, payment_sn: str) -> datetime | None:
    return ledger.told.get(payment_sn, {}).get(PaymentStatus.SUCCESS)


def _order(order: OrderRow, came: list[PaymentRow]) -> Iterator[Finding]:
    kept = [payment for payment in came if payment.pay_status == PaymentStatus.SUCCESS]
    if order.trade_state in PAID:
        if [(payment.sn, payment.pay_total) for payment in kept] != [(order.payment_sn, order.order_total_price)]:
            price = f"{order.order_total_price} by {order.payment_sn}"
            yield Finding(MONEY, order.sn, f"is paid, {price}, and has {_shown(came)}")
    elif order.trade_state == TradeState.REFUNDED:
        yield Finding(MONEY, order.sn, f"was paid, and its money went back unasked: {_shown(came)}")
    elif kept:
        yield Finding(MONEY, order.sn, f"is {TradeState(order.trade_state).name} and keeps {_shown(kept)}")


def _refunds(books: Books, ledger: Ledger, verdict: Verdict, moving: set[str]) -> Iterator[Finding]:
    """One row for each payment that went back, and for no other."""
    rows: Counter[str] = Counter(refund.payment_sn for refund in books.refunds)
    payments = {payment.sn: payment for payment in books.payments}
    for payment in books.payments:
        wanted = int(payment.pay_status == PaymentStatus.REFUNDED)
        if rows[payment.sn] != wanted and payment.order_sn not in moving:
            what = f"is {PaymentStatus(payment.pay_status).name} and has {rows[payment.sn]} refund rows"
            yield Finding(MONEY, payment.sn, f"of {payment.order_sn} {what}")
    for refund in books.refunds:
        source = payments.get(refund.payment_sn)
        if source is None or (source.order_sn, source.pay_total) != (refund.order_sn, refund.total):
            yield Finding(MONEY, refund.payment_sn, f"its refund is {refund}, the payment {source}")
        if refund.refunded_at is None:
            if refund.order_sn not in moving:
                yield Finding(MONEY, refund.payment_sn, f"the refund for {refund.order_sn} is due and not made")
        elif told := _told(ledger, refund.payment_sn):
            verdict.slowest_refund = max(verdict.slowest_refund, refund.refunded_at - told)


def _sums(books: Books, moving: set[str]) -> Iterator[Finding]:
    kept = sum(
        payment.pay_total
        for payment in books.payments
        if payment.pay_status == PaymentStatus.SUCCESS and payment.order_sn not in moving
    )
    earned = sum(
        order.order_total_price for order in books.orders if order.trade_state in PAID and order.sn not in moving
    )
    if kept != earned:
        yield Finding(MONEY, "all orders", f"the money kept is {kept}, the paid orders cost {earned}")


def _shown(payments: Iterable[PaymentRow]) -> list[tuple[str, str, int]]:
    return [(payment.sn, PaymentStatus(payment.pay_status).name, payment.pay_total) for payment in payments]
