"""What becomes of the letters that a worker delivers: by topic, the one use case that each is for."""

from collections.abc import Mapping

from domain.errors import InvalidInput
from domain.order import letters
from domain.order.room import OrderRoom
from domain.outbox import Letter
from domain.payment.ports import STATUS_CHANGED
from workers.relay import Deliver
from workers.webhook import Webhook


def deliveries(room: OrderRoom, webhook: Webhook | None) -> Mapping[str, Deliver]:
    """Returns the deliveries.

    Args:
        room: the order context.
        webhook: who tells guests; None where nobody does, and then what was written for them before is forgotten.
    """

    async def refund(letter: Letter) -> None:
        match letter.payload:
            case {"paymentSn": str(payment_sn)}:
                await room.settling.refund(payment_sn)
            case _:
                raise InvalidInput("This letter does not say which money is to go back.")

    async def payment_status_changed(letter: Letter) -> None:
        # Where payments are in the same database, their news needs no broker: also when the payment service, which
        # would send it, died in between.
        match letter.payload:
            case {"orderSn": str(order_sn)}:
                await room.settling.settle(order_sn)
            case _:
                raise InvalidInput("This letter does not say whose payment changed.")

    async def changed(letter: Letter) -> None:
        if webhook is not None:
            await webhook.announce(letter)

    return {letters.REFUND: refund, letters.CHANGED: changed, STATUS_CHANGED: payment_status_changed}
