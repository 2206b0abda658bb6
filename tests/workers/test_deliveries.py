"""What a worker makes of letters: money goes back, orders are settled, guests are told."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain.database import Database
from domain.errors import InvalidInput, RefundUnsupported
from domain.order.room import OrderRoom
from domain.order.states import PaymentStatus, TradeState
from domain.outbox import Outbox
from tests.fakes import FakePayments
from tests.order.rows import LETTERS, add_order, refunds_due, stored
from workers.deliveries import deliveries
from workers.relay import Relay


class Told:
    """Who tells guests, and remembers what."""

    def __init__(self) -> None:
        self.payloads: list[Mapping[str, Any]] = []

    async def announce(self, letter: Any) -> None:
        self.payloads.append(letter.payload)


async def relay(room: OrderRoom, told: Any = None) -> None:
    await Relay(Outbox(room.database, room.clock), deliveries(room, told)).run_once()


async def test_late_money_goes_back_by_its_letter(room: OrderRoom, database: Database, payments: FakePayments) -> None:
    order = await add_order(database, trade_state=TradeState.CANCELLED)
    payments.pay(order.sn, order.order_total_price)
    await room.settling.settle(order.sn)
    assert await refunds_due(database) == [order.sn]
    for _ in range(2):
        await relay(room)
    assert await refunds_due(database) == []
    assert payments.payments[order.sn].status is PaymentStatus.REFUNDED


async def test_money_that_can_not_go_back_by_itself_is_a_dead_letter(
    room: OrderRoom, database: Database, payments: FakePayments
) -> None:
    order = await add_order(database, trade_state=TradeState.CANCELLED)
    payments.pay(order.sn, order.order_total_price)
    payments.can_refund = False
    await room.settling.settle(order.sn)
    await relay(room)
    outbox = Outbox(database, room.clock)
    (dead,) = await outbox.dead()
    assert (dead.topic, RefundUnsupported.__name__ in dead.error) == ("order.refund", True)
    payments.can_refund = True
    assert await outbox.retry([dead.id]) == 1
    await relay(room)
    assert await refunds_due(database) == []


async def test_a_letter_about_a_payment_settles_its_order(
    room: OrderRoom, database: Database, payments: FakePayments
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, order.order_total_price)
    deliver = deliveries(room, None)["payment.status_changed"]
    await deliver(letter({"orderSn": order.sn, "payStatus": 1}))
    found = await room.closing.find(order.sn)
    assert found is not None
    assert found.trade_state is TradeState.WAIT_USE


async def test_guests_are_told_where_somebody_tells_them(database: Database, room: OrderRoom) -> None:
    told = Told()
    for webhook in (told, None):
        deliver = deliveries(room, webhook)["order.changed"]  # type: ignore[arg-type] # as far as it is needed
        await deliver(letter({"sn": "HSO1", "tradeState": "CANCELLED"}))
    assert told.payloads == [{"sn": "HSO1", "tradeState": "CANCELLED"}]
    assert await stored(database, LETTERS) == []


@pytest.mark.parametrize("topic", ["order.refund", "payment.status_changed"])
async def test_a_letter_that_says_nothing_is_dead(room: OrderRoom, topic: str) -> None:
    with pytest.raises(InvalidInput):
        await deliveries(room, None)[topic](letter({"nothing": 1}))


def letter(payload: dict[str, Any]) -> Any:
    """A letter as far as a delivery reads it."""

    class _Letter:
        def __init__(self) -> None:
            self.payload = payload

    return _Letter()
