"""What should become of an order: a model of a few lines, worked out from what is written down before a step."""

from datetime import datetime

from domain.order.closing import Outcome
from domain.order.states import PaymentStatus, TradeState
from tests.life.invariants import Books

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState


def settled(books: Books, sn: str) -> TradeState:
    """Where a look at all its payments brings it."""
    order = books.orders[sn]
    state: TradeState = order["trade_state"]
    money = books.received(sn)
    if state is WAIT_PAY:
        price = order["order_total_price"]
        paid = any(entry.status is PaymentStatus.SUCCESS and entry.total == price for entry in money)
        return WAIT_USE if paid else WAIT_PAY
    if state is WAIT_USE:
        # By an order that does not know its payment, any money that had a use counts.
        its_own = {order["payment_sn"]} if order["payment_sn"] else {entry.sn for entry in money} - set(books.refunds)
        gone = any(entry.status is PaymentStatus.REFUNDED and entry.sn in its_own for entry in money)
        return REFUNDED if gone else WAIT_USE
    return state


def closed(books: Books, sn: str, now: datetime, *, asked: bool) -> tuple[Outcome, TradeState]:
    """How an attempt to close it ends, and where it is then; `asked`: whether the payment service answers."""
    order = books.orders[sn]
    state = order["trade_state"]
    if state is not WAIT_PAY:
        return Outcome.DECIDED, state
    if order["close_at"] > now:
        return Outcome.EARLY, state
    if asked and settled(books, sn) is WAIT_USE:
        return Outcome.PAID, WAIT_USE
    return Outcome.CLOSED, CANCELLED


def given_up(books: Books, sn: str, *, asked: bool) -> TradeState:
    """Where an open order is when its guest gives it up."""
    return WAIT_USE if asked and settled(books, sn) is WAIT_USE else CANCELLED
