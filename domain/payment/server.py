"""The payment gRPC service: translates the existing interface, and its additions, to the use cases. Decides nothing."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from grpc import aio

from domain import rpc
from domain.clock import Clock
from domain.database import Database
from domain.errors import InvalidInput
from domain.payment import states
from domain.payment.models import Payment
from domain.payment.ports import Wake
from domain.payment.requests import SERVICE_TYPE, Charge, Notice
from domain.payment.service import Payments
from proto import payment_pb2, payment_pb2_grpc

# The end of the year 9999, after which neither Python nor a table has dates. Milliseconds taken for seconds are
# beyond it.
_LAST_SECOND: Final = 253_402_300_799
_BEGINNING: Final = datetime.fromtimestamp(0, UTC)


class PaymentService(payment_pb2_grpc.paymentServicer):
    """The four methods of the existing payment service and four additions.

    What each raises is what the use case raises; `domain.rpc` makes a status of it.
    """

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    async def CreatePayment(
        self, request: payment_pb2.CreatePaymentReq, context: object
    ) -> payment_pb2.CreatePaymentResp:
        """Opens the one payment of an order, or finds it again."""
        charge = Charge(
            user_id=request.userId,
            order_sn=request.orderSn,
            pay_mode=request.payModel,
            total=request.payTotal,
            service_type=request.serviceType or SERVICE_TYPE,
            expire_time=_instant(request.expireTime, "expireTime"),
        )
        payment = await self._payments.create(charge)
        return payment_pb2.CreatePaymentResp(sn=payment.sn)

    async def GetPaymentBySn(
        self, request: payment_pb2.GetPaymentBySnReq, context: object
    ) -> payment_pb2.GetPaymentBySnResp:
        """One payment by its own number."""
        payment = await self._payments.by_sn(request.sn)
        return payment_pb2.GetPaymentBySnResp(paymentDetail=_message(payment))

    async def UpdateTradeState(
        self, request: payment_pb2.UpdateTradeStateReq, context: object
    ) -> payment_pb2.UpdateTradeStateResp:
        """Records the provider's word on a payment; a repeat is answered as the first time."""
        notice = Notice(
            sn=request.sn,
            status=states.from_wire(request.payStatus),
            trade_state=request.tradeState,
            transaction_id=request.transactionId,
            trade_type=request.tradeType,
            trade_state_desc=request.tradeStateDesc,
            paid_at=_instant(request.payTime, "payTime"),
        )
        await self._payments.update(notice)
        return payment_pb2.UpdateTradeStateResp()

    async def GetPaymentSuccessRefundByOrderSn(
        self, request: payment_pb2.GetPaymentSuccessRefundByOrderSnReq, context: object
    ) -> payment_pb2.GetPaymentSuccessRefundByOrderSnResp:
        """The paid or refunded payment of an order."""
        payment = await self._payments.settled_of_order(request.orderSn)
        return payment_pb2.GetPaymentSuccessRefundByOrderSnResp(paymentDetail=_message(payment))

    async def GetPaymentByOrderSn(
        self, request: payment_pb2.GetPaymentByOrderSnReq, context: object
    ) -> payment_pb2.GetPaymentByOrderSnResp:
        """The payment of an order that matters now."""
        payment = await self._payments.of_order(request.orderSn)
        return payment_pb2.GetPaymentByOrderSnResp(paymentDetail=_message(payment))

    async def RefundPayment(
        self, request: payment_pb2.RefundPaymentReq, context: object
    ) -> payment_pb2.RefundPaymentResp:
        """Gives back the money of an order, or of one of its payments, once however often it is asked."""
        payment = await self._payments.refund(request.orderSn, request.sn or None)
        return payment_pb2.RefundPaymentResp(paymentDetail=_message(payment))

    async def GetPaymentsByOrderSns(
        self, request: payment_pb2.GetPaymentsByOrderSnsReq, context: object
    ) -> payment_pb2.GetPaymentsByOrderSnsResp:
        """All payments of these orders."""
        payments = await self._payments.of_orders(request.orderSns)
        return payment_pb2.GetPaymentsByOrderSnsResp(paymentDetails=map(_message, payments))

    async def ListPayments(self, request: payment_pb2.ListPaymentsReq, context: object) -> payment_pb2.ListPaymentsResp:
        """Payments by the time of their last change."""
        since = _instant(request.updatedFrom, "updatedFrom") or _BEGINNING
        payments = await self._payments.changed(since, after_id=request.afterId, limit=request.limit)
        return payment_pb2.ListPaymentsResp(paymentDetails=map(_message, payments))


def server(database: Database, wake: Wake, clock: Clock, *, zone: ZoneInfo, host: str, port: int) -> rpc.Server:
    """Returns the service, not yet started.

    Args:
        database: where payments are stored.
        wake: who is told that letters are waiting.
        clock: the present.
        zone: the local time in payment numbers.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
    """
    service = PaymentService(Payments(database, wake, clock, zone=zone))

    def register(grpc_server: aio.Server) -> None:
        payment_pb2_grpc.add_paymentServicer_to_server(service, grpc_server)

    return rpc.Server("pb.payment", register, host=host, port=port, ping=database.ping)


def _message(payment: Payment) -> payment_pb2.PaymentDetail:
    return payment_pb2.PaymentDetail(
        id=payment.id,
        sn=payment.sn,
        userId=payment.user_id,
        payMode=payment.pay_mode,
        tradeType=payment.trade_type,
        # A number on the wire and a word in the table: the existing system compares the two and never finds them equal.
        tradeState=payment.pay_status,
        payTotal=payment.pay_total,
        transactionId=payment.transaction_id,
        tradeStateDesc=payment.trade_state_desc,
        orderSn=payment.order_sn,
        serviceType=payment.service_type,
        createTime=int(payment.create_time.timestamp()),
        updateTime=int(payment.update_time.timestamp()),
        payStatus=payment.pay_status,
        payTime=int(payment.paid_at.timestamp()) if payment.paid_at else 0,
    )


def _instant(seconds: int, field: str) -> datetime | None:
    if not 0 <= seconds <= _LAST_SECOND:
        raise InvalidInput("This is no instant in unix seconds.", field)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
