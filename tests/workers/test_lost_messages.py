"""Messages of the payment service that are lost for good: its word is looked up, over the wire."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import grpc
import pytest
import sqlalchemy as sa
from grpc import aio

from domain import rpc
from domain.database import Database
from domain.leases import Leases
from domain.order.payment_client import PaymentClient
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.states import TradeState
from domain.payment import server as payment_server
from domain.payment.server import PaymentService
from proto import payment_pb2, payment_pb2_grpc
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.factories import create_stay
from tests.fakes import FakeTimer, FakeTravel
from tests.order.rows import LETTERS, ORDERS, REFUNDS, stored
from workers.jobs import jobs
from workers.scheduler import Scheduler

# What ours adds to the existing payment service.
ADDITIONS: Final = ("GetPaymentByOrderSn", "RefundPayment", "GetPaymentsByOrderSns", "ListPayments")


class Provider:
    """Who tells the payment service of money, over the wire."""

    def __init__(self, channel: aio.Channel, database: Database) -> None:
        self._stub: Any = payment_pb2_grpc.paymentStub(channel)
        self._database = database

    async def confirm(self, payment_sn: str) -> None:
        """Money came; the message about it is lost with the broker, and with all that was kept of it."""
        request = payment_pb2.UpdateTradeStateReq(
            sn=payment_sn, tradeState="SUCCESS", payStatus=1, payTime=1_779_249_900
        )
        await self._stub.UpdateTradeState(request, timeout=5)
        await self._database.write(lambda connection: connection.execute(sa.delete(LETTERS)))


@pytest.fixture(params=["ours", "existing"])
async def channel(
    request: pytest.FixtureRequest, database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aio.Channel]:
    """A channel to our payment service, and to one that lacks what ours adds."""
    if request.param == "existing":
        for name in ADDITIONS:
            monkeypatch.setattr(PaymentService, name, _unknown)
    server = payment_server.server(database, lambda: None, clock, zone=SHANGHAI, host="127.0.0.1", port=0)
    await server.start()
    async with rpc.channel(server.address) as channel:
        yield channel
    await server.stop(grace=0)


async def _unknown(_: object, __: object, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method")


@pytest.fixture
def room(database: Database, clock: FrozenClock, channel: aio.Channel) -> OrderRoom:
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    return assemble(database, clock, rules, travel=FakeTravel(), payments=PaymentClient(channel), timer=FakeTimer())


async def reconcile(room: OrderRoom) -> None:
    job = next(job for job in jobs(room) if job.name == "payment.reconcile")
    assert await Scheduler(Leases(room.database, room.clock), [job], "test").look(job)


async def state(database: Database, sn: str) -> TradeState:
    (row,) = await stored(database, ORDERS, sn=sn)
    return TradeState(row["trade_state"])


async def test_an_order_whose_message_was_lost_is_paid_within_the_next_run(
    room: OrderRoom, database: Database, clock: FrozenClock, channel: aio.Channel
) -> None:
    order = (await room.orders.create(7, create_stay())).order
    await reconcile(room)
    payment, _ = await room.orders.open_payment(7, order.sn)
    await Provider(channel, database).confirm(payment.sn)
    clock.advance(timedelta(seconds=61))
    await reconcile(room)
    assert await state(database, order.sn) is TradeState.WAIT_USE


async def test_money_whose_message_was_lost_after_the_close_is_asked_back(
    room: OrderRoom, database: Database, clock: FrozenClock, channel: aio.Channel
) -> None:
    order = (await room.orders.create(7, create_stay())).order
    payment, _ = await room.orders.open_payment(7, order.sn)
    clock.advance(PAY_WINDOW)
    await room.closing.close_if_unpaid(order.sn)
    clock.advance(timedelta(minutes=5))
    await Provider(channel, database).confirm(payment.sn)
    for _ in range(3):
        clock.advance(timedelta(seconds=61))
        await reconcile(room)
    assert await state(database, order.sn) is TradeState.CANCELLED
    assert [row["payment_sn"] for row in await stored(database, REFUNDS)] == [payment.sn]
    assert [row["payload"]["paymentSn"] for row in await stored(database, LETTERS)] == [payment.sn]
