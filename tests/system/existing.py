"""The existing travel and payment services, as they behave: over their own tables, and with nothing of what ours add.

A row that is missing is an empty message, not a status; there are no methods but their four; a number is answered where
the table has a word; nothing looks at who asks, and nothing is asked twice.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message
from grpc import aio

from domain.database import Database
from proto import payment_pb2, travel_pb2
from tests.workers import seed

Method = tuple[type[Message], Callable[[Any], Awaitable[Message]]]

_HOMESTAY_FIELDS: Final = {
    "subTitle": "sub_title",
    "peopleNum": "people_num",
    "homestayBusinessId": "homestay_business_id",
    "userId": "user_id",
    "rowState": "row_state",
    "rowType": "row_type",
    "foodInfo": "food_info",
    "foodPrice": "food_price",
    "homestayPrice": "homestay_price",
    "marketHomestayPrice": "market_homestay_price",
} | {name: name for name in ("id", "title", "banner", "info")}


class Existing(grpc.GenericRpcHandler):
    """Both services on one port. Remembers which methods it was asked for.

    Args:
        database: the one that it shares with us.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked: list[str] = []
        self._methods: dict[str, Method] = {
            "/pb.travel/homestayDetail": (travel_pb2.HomestayDetailReq, self._homestay),
            "/pb.payment/CreatePayment": (payment_pb2.CreatePaymentReq, self._create),
            "/pb.payment/GetPaymentBySn": (payment_pb2.GetPaymentBySnReq, self._by_sn),
            "/pb.payment/GetPaymentSuccessRefundByOrderSn": (
                payment_pb2.GetPaymentSuccessRefundByOrderSnReq,
                self._settled,
            ),
            "/pb.payment/UpdateTradeState": (payment_pb2.UpdateTradeStateReq, self._update),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        self.asked.append(handler_call_details.method)
        if handler_call_details.method not in self._methods:
            return None
        request, answer = self._methods[handler_call_details.method]

        async def give(asked: Any, _: object) -> Message:
            return await answer(asked)

        handler: Any = grpc.unary_unary_rpc_method_handler
        return handler(give, request.FromString, lambda message: message.SerializeToString())  # type: ignore[no-any-return]

    async def _row(self, table: sa.Table, *wanted: sa.ColumnElement[bool]) -> Any:
        statement = sa.select(table).where(*wanted).order_by(table.c.id).limit(1)
        return (await self._database.read(lambda connection: connection.execute(statement))).mappings().first()

    async def _homestay(self, asked: travel_pb2.HomestayDetailReq) -> travel_pb2.HomestayDetailResp:
        row = await self._row(seed.HOMESTAYS, seed.HOMESTAYS.c.id == asked.id, seed.HOMESTAYS.c.del_state == 0)
        found = {} if row is None else {field: row[column] for field, column in _HOMESTAY_FIELDS.items()}
        return travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay(**found))

    async def _create(self, asked: payment_pb2.CreatePaymentReq) -> payment_pb2.CreatePaymentResp:
        sn = f"PMT20260520120000{secrets.randbelow(10**8):08d}"
        row = {
            "sn": sn,
            "user_id": asked.userId,
            "pay_mode": asked.payModel,
            "pay_total": asked.payTotal,
            "order_sn": asked.orderSn,
            "service_type": "homestayOrder",
        }
        await self._database.write(lambda connection: connection.execute(sa.insert(seed.PAYMENTS).values(**row)))
        return payment_pb2.CreatePaymentResp(sn=sn)

    async def _by_sn(self, asked: payment_pb2.GetPaymentBySnReq) -> payment_pb2.GetPaymentBySnResp:
        row = await self._row(seed.PAYMENTS, seed.PAYMENTS.c.sn == asked.sn)
        return payment_pb2.GetPaymentBySnResp(paymentDetail=_detail(row))

    async def _settled(
        self, asked: payment_pb2.GetPaymentSuccessRefundByOrderSnReq
    ) -> payment_pb2.GetPaymentSuccessRefundByOrderSnResp:
        columns = seed.PAYMENTS.c
        row = await self._row(seed.PAYMENTS, columns.order_sn == asked.orderSn, columns.pay_status.in_((1, 2)))
        return payment_pb2.GetPaymentSuccessRefundByOrderSnResp(paymentDetail=_detail(row))

    async def _update(self, asked: payment_pb2.UpdateTradeStateReq) -> payment_pb2.UpdateTradeStateResp:
        paid_at = datetime.fromtimestamp(asked.payTime, UTC).replace(tzinfo=None) if asked.payTime else None
        statement = (
            sa.update(seed.PAYMENTS)
            .where(seed.PAYMENTS.c.sn == asked.sn)
            .values(trade_state=asked.tradeState, pay_status=asked.payStatus, pay_time=paid_at)
        )
        await self._database.write(lambda connection: connection.execute(statement))
        return payment_pb2.UpdateTradeStateResp()


def _detail(row: Any) -> payment_pb2.PaymentDetail:
    if row is None:
        return payment_pb2.PaymentDetail()
    return payment_pb2.PaymentDetail(
        id=row["id"],
        sn=row["sn"],
        userId=row["user_id"],
        payMode=row["pay_mode"],
        payTotal=row["pay_total"],
        orderSn=row["order_sn"],
        serviceType=row["service_type"],
        payStatus=row["pay_status"],
        payTime=int(row["pay_time"].replace(tzinfo=UTC).timestamp()) if row["pay_time"] else 0,
    )


@asynccontextmanager
async def existing(database: Database) -> AsyncIterator[tuple[Existing, str]]:
    """Both services, and where they are."""
    services = Existing(database)
    server = aio.server(handlers=[services])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield services, f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)
