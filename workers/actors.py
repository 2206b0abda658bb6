"""The messages: name, payload and what they start, for both ends. `dramatiq workers.actors` runs the worker.

A message carries a number or a name, never an order; it may come twice, late or never. Each actor calls one use case.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import dramatiq
import structlog
from dramatiq.asyncio import async_to_sync

from domain import tracing
from domain.errors import Refusal
from domain.order.closing import Outcome
from domain.tracing import TRACEPARENT, Kind
from workers import broker as brokers
from workers.resources import Resources
from workers.settings import ServiceSettings, settings

# Who only sends is given no secret that a worker needs; what a worker misses it is told when it opens its resources.
_settings: Final = settings(ServiceSettings)
_resources: Final = Resources(_settings)
broker: Final = brokers.build(_settings)
broker.add_middleware(_resources)
dramatiq.set_broker(broker)

# Milliseconds until an attempt that came early is made again; the sweep stands behind it.
TRY_AGAIN_AFTER: Final = 500
# A refusal will be one the next time too. Who asked was told, and the sweep looks after the order.
_NOT_AGAIN: Final = (Refusal,)


class PaymentStatusChanged(TypedDict):
    """The announcement of the payment service, as the existing services know it."""

    orderSn: str
    payStatus: int


@dramatiq.actor(actor_name=brokers.CLOSE_UNPAID, queue_name=brokers.CLOSING_QUEUE, throws=_NOT_AGAIN)
def close_unpaid(sn: str, *others: str) -> None:
    """Closes an order that was not paid in time, or those of several messages that run as one."""
    if others:
        early = Outcome.EARLY in _close_all([sn, *others]).values()
    else:
        # Of one that went along with others, the way to the loop and back would cost more.
        early = (_resources.closer.answer(sn) or _close(sn)) is Outcome.EARLY
    if early:
        raise dramatiq.Retry("not due yet", delay=TRY_AGAIN_AFTER)


@dramatiq.actor(actor_name="payment.status_changed", queue_name=brokers.PAYMENT_QUEUE, throws=_NOT_AGAIN)
async def payment_status_changed(news: PaymentStatusChanged) -> None:
    """Brings an order to what its payment now says."""
    structlog.contextvars.bind_contextvars(sn=news["orderSn"])
    await _resources.settling.settle(news["orderSn"])


@async_to_sync
async def _close(sn: str) -> Outcome:
    structlog.contextvars.bind_contextvars(sn=sn)
    return await _resources.closer.close_if_unpaid(sn)


@async_to_sync
async def _close_all(sns: Sequence[str]) -> Mapping[str, Outcome]:
    return await _resources.closer.close_all(sns)


def close_unpaid_message(sn: str) -> dramatiq.Message[Any]:
    """The message that starts `close_unpaid`."""
    return _message(close_unpaid, sn)


def payment_status_message(order_sn: str, pay_status: int) -> dramatiq.Message[Any]:
    """The message that starts `payment_status_changed`."""
    return _message(payment_status_changed, PaymentStatusChanged(orderSn=order_sn, payStatus=pay_status))


def _message(actor: dramatiq.Actor[..., Any], argument: object) -> dramatiq.Message[Any]:
    # Who sends it is told here, where that is known: the sender's and the courier's threads know of no step.
    about = {"messaging.system": "dramatiq", "messaging.destination.name": actor.queue_name}
    with tracing.span(f"create {actor.actor_name}", Kind.PRODUCER, about):
        step = tracing.traceparent()
        options: dict[str, Any] = {TRACEPARENT: step} if step else {}
        return actor.message_with_options(args=(argument,), **options)
