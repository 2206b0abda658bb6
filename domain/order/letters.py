"""What others are told of orders: topics of the outbox, and what their letters say. Used by both ends."""

from collections.abc import Iterable
from typing import Final, TypedDict

from domain.order.ports import Payment
from domain.order.states import TradeState

# To the payment service: give this money back.
REFUND: Final = "order.refund"
# To the guest: an order of yours changed.
CHANGED: Final = "order.changed"


class Refund(TypedDict):
    """A letter on `order.refund`."""

    orderSn: str
    paymentSn: str


class Changed(TypedDict):
    """A letter on `order.changed`. Who wants to know more reads the order: it may have changed again."""

    sn: str
    tradeState: str


def refund(payment: Payment) -> dict[str, Refund]:
    """The letter by which this money goes back."""
    return {payment.sn: Refund(orderSn=payment.order_sn, paymentSn=payment.sn)}


def changed(sns: Iterable[str], to: TradeState) -> dict[str, Changed]:
    """The letters that say that these orders are now `to`."""
    return {sn: Changed(sn=sn, tradeState=to.name) for sn in sns}
