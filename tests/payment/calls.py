"""Calls to the payment service in few words: a test names only what matters to it."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import grpc
import pytest
from grpc import aio
from sqlalchemy import delete, select

from domain import rpc
from domain.columns import table_of
from domain.database import Database
from domain.outbox.models import OutboxLetter
from domain.payment.models import ThirdPayment
from domain.payment.ports import STATUS_CHANGED
from domain.payment.states import PayStatus
from proto import payment_pb2

if TYPE_CHECKING:
    from proto.payment_pb2_grpc import paymentAsyncStub

ZONE: Final = ZoneInfo("Asia/Shanghai")
ORDER: Final = "HSO20260301120506ABCDEFGH"
PAYMENTS: Final = table_of(ThirdPayment)
LETTERS: Final = table_of(OutboxLetter)
DEADLINE: Final = 20.0


class Announcements:
    """The letters that the payment service wrote, and how often it said that there are some."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1

    async def made(self) -> list[tuple[str, int]]:
        """Order and status of each letter, oldest first."""
        letters = select(LETTERS).order_by(LETTERS.c.id)
        found = await self._database.read(lambda connection: connection.execute(letters))
        written = [(letter.topic, letter.subject, letter.payload) for letter in found]
        assert all((topic, subject) == (STATUS_CHANGED, news["orderSn"]) for topic, subject, news in written)
        return [(news["orderSn"], news["payStatus"]) for _, _, news in written]

    async def clear(self) -> None:
        await self._database.write(lambda connection: connection.execute(delete(LETTERS)))


class Caller:
    """Somebody who asks the payment service, over the wire."""

    def __init__(self, stub: "paymentAsyncStub") -> None:
        self._stub = stub

    async def create(
        self,
        order_sn: str = ORDER,
        *,
        user_id: int = 7,
        mode: str = "WECHAT_PAY",
        total: int = 59_800,
        service_type: str = "homestayOrder",
        expire_time: int = 0,
    ) -> str:
        request = payment_pb2.CreatePaymentReq(
            orderSn=order_sn,
            userId=user_id,
            payModel=mode,
            payTotal=total,
            serviceType=service_type,
            expireTime=expire_time,
        )
        return (await self._stub.CreatePayment(request, timeout=DEADLINE)).sn

    async def notify(
        self,
        sn: str,
        status: int,
        word: str = "",
        *,
        transaction_id: str = "",
        trade_type: str = "",
        desc: str = "",
        pay_time: int = 0,
    ) -> payment_pb2.UpdateTradeStateResp:
        request = payment_pb2.UpdateTradeStateReq(
            sn=sn,
            payStatus=status,
            tradeState=word,
            transactionId=transaction_id,
            tradeType=trade_type,
            tradeStateDesc=desc,
            payTime=pay_time,
        )
        return await self._stub.UpdateTradeState(request, timeout=DEADLINE)

    async def by_sn(self, sn: str) -> payment_pb2.PaymentDetail:
        request = payment_pb2.GetPaymentBySnReq(sn=sn)
        return (await self._stub.GetPaymentBySn(request, timeout=DEADLINE)).paymentDetail

    async def of_order(self, order_sn: str = ORDER) -> payment_pb2.PaymentDetail:
        request = payment_pb2.GetPaymentByOrderSnReq(orderSn=order_sn)
        return (await self._stub.GetPaymentByOrderSn(request, timeout=DEADLINE)).paymentDetail

    async def settled(self, order_sn: str = ORDER) -> payment_pb2.PaymentDetail:
        request = payment_pb2.GetPaymentSuccessRefundByOrderSnReq(orderSn=order_sn)
        return (await self._stub.GetPaymentSuccessRefundByOrderSn(request, timeout=DEADLINE)).paymentDetail

    async def refund(self, order_sn: str = ORDER, sn: str = "") -> payment_pb2.PaymentDetail:
        request = payment_pb2.RefundPaymentReq(orderSn=order_sn, sn=sn)
        return (await self._stub.RefundPayment(request, timeout=DEADLINE)).paymentDetail

    async def of_orders(self, *order_sns: str) -> list[payment_pb2.PaymentDetail]:
        request = payment_pb2.GetPaymentsByOrderSnsReq(orderSns=order_sns)
        return list((await self._stub.GetPaymentsByOrderSns(request, timeout=DEADLINE)).paymentDetails)

    async def changed(self, since: int = 0, *, after_id: int = 0, limit: int = 500) -> list[payment_pb2.PaymentDetail]:
        request = payment_pb2.ListPaymentsReq(updatedFrom=since, afterId=after_id, limit=limit)
        return list((await self._stub.ListPayments(request, timeout=DEADLINE)).paymentDetails)

    async def create_in(self, status: PayStatus, order_sn: str = ORDER) -> str:
        """Opens a payment and brings it to `status`."""
        sn = await self.create(order_sn)
        for step in {
            PayStatus.WAIT: (),
            PayStatus.FAILED: (PayStatus.FAILED,),
            PayStatus.SUCCESS: (PayStatus.SUCCESS,),
            PayStatus.REFUNDED: (PayStatus.SUCCESS, PayStatus.REFUNDED),
        }[status]:
            await self.notify(sn, step)
        return sn


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str, str]:
    """The status of a refused call, its stable code, and the field to blame."""
    with pytest.raises(aio.AioRpcError) as refusal:
        await call
    (reason,) = rpc.reasons(refusal.value)
    return refusal.value.code(), reason.reason, reason.metadata.get("field", "")


async def rows(database: Database) -> list[dict[str, Any]]:
    """The whole table as it is stored, oldest first."""
    found = await database.read(lambda connection: connection.execute(select(PAYMENTS).order_by(PAYMENTS.c.id)))
    return [dict(row._mapping) for row in found]
