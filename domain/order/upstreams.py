"""The travel and payment services as orders see them: gRPC, a deadline on every call, answers checked before use."""

from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message
from grpc import aio

from domain import money, rpc
from domain.errors import InvalidInput, UpstreamUnavailable
from domain.money import Fen
from domain.order.ports import Homestay, Payment
from domain.order.states import PaymentStatus, SaleUnit
from proto import payment_pb2, payment_pb2_grpc, travel_pb2, travel_pb2_grpc

# Seconds. A read that takes longer is worth less than an answer without it; a guest who pays waits a little longer.
READ_DEADLINE: Final = 1.0
WRITE_DEADLINE: Final = 2.0

# What the existing payment service knows as its business and as its default way to pay.
_SERVICE_TYPE: Final = "homestayOrder"
_PAY_MODE: Final = "WECHAT_PAY"
_TRAVEL: Final = "travel"
_PAYMENT: Final = "payment"
_ON_SHELF: Final = 1


class TravelClient:
    """`domain.order.ports.Travel` over gRPC."""

    def __init__(self, channel: aio.Channel) -> None:
        self._travel = travel_pb2_grpc.travelStub(channel)

    async def homestay(self, homestay_id: int) -> Homestay | None:
        """The homestay, or None: said by NOT_FOUND, or as the existing service does by an empty one.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        answer = await rpc.ask(
            _TRAVEL,
            self._travel.homestayDetail,
            travel_pb2.HomestayDetailReq(id=homestay_id),
            deadline=READ_DEADLINE,
        )
        if answer is None or answer.homestay.id == 0:
            return None
        if answer.homestay.id != homestay_id:
            raise _nonsense(_TRAVEL, answer)
        return _homestay(answer.homestay)


class PaymentClient:
    """`domain.order.ports.Payments` over gRPC."""

    def __init__(self, channel: aio.Channel) -> None:
        self._payment = payment_pb2_grpc.paymentStub(channel)

    async def open(self, *, order_sn: str, user_id: int, total: Fen, pay_before: datetime) -> Payment:
        """Opens the one payment of an order, or finds it again.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        opened = await rpc.ask(
            _PAYMENT,
            self._payment.CreatePayment,
            payment_pb2.CreatePaymentReq(
                userId=user_id,
                payModel=_PAY_MODE,
                payTotal=total,
                orderSn=order_sn,
                serviceType=_SERVICE_TYPE,
                expireTime=int(pay_before.timestamp()),
            ),
            deadline=WRITE_DEADLINE,
        )
        if opened is None:
            raise UpstreamUnavailable(_PAYMENT, "it opened no payment")
        found = await rpc.ask(
            _PAYMENT,
            self._payment.GetPaymentBySn,
            payment_pb2.GetPaymentBySnReq(sn=opened.sn),
            deadline=READ_DEADLINE,
        )
        payment = None if found is None else _payment(found.paymentDetail, order_sn)
        if payment is None:
            raise UpstreamUnavailable(_PAYMENT, "it does not know the payment that it opened")
        return payment

    async def of_order(self, order_sn: str) -> Payment | None:
        """The payment of an order that matters now; of the existing service, only a paid or refunded one.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        answer: payment_pb2.GetPaymentByOrderSnResp | payment_pb2.GetPaymentSuccessRefundByOrderSnResp | None
        try:
            answer = await rpc.ask(
                _PAYMENT,
                self._payment.GetPaymentByOrderSn,
                payment_pb2.GetPaymentByOrderSnReq(orderSn=order_sn),
                deadline=READ_DEADLINE,
            )
        except rpc.Unimplemented:
            answer = await rpc.ask(
                _PAYMENT,
                self._payment.GetPaymentSuccessRefundByOrderSn,
                payment_pb2.GetPaymentSuccessRefundByOrderSnReq(orderSn=order_sn),
                deadline=READ_DEADLINE,
            )
        return None if answer is None else _payment(answer.paymentDetail, order_sn)

    async def refund(self, order_sn: str) -> bool:
        """Returns the money of an order, once however often it is asked.

        Returns:
            False where the service lacks the method, as the existing one does.

        Raises:
            UpstreamUnavailable: it could not be asked in time.
        """
        try:
            answer = await rpc.ask(
                _PAYMENT,
                self._payment.RefundPayment,
                payment_pb2.RefundPaymentReq(orderSn=order_sn),
                deadline=WRITE_DEADLINE,
            )
        except rpc.Unimplemented:
            return False
        if answer is None:
            raise UpstreamUnavailable(_PAYMENT, "it knows no payment to return")
        return True


def _homestay(answer: travel_pb2.Homestay) -> Homestay:
    try:
        return Homestay(
            id=answer.id,
            title=answer.title,
            sub_title=answer.subTitle,
            banner=tuple(url for part in answer.banner.split(",") if (url := part.strip())),
            info=answer.info,
            people_num=answer.peopleNum,
            business_id=answer.homestayBusinessId,
            user_id=answer.userId,
            on_shelf=answer.rowState == _ON_SHELF,
            sale_unit=SaleUnit(answer.rowType),
            food_info=answer.foodInfo,
            food_price=money.checked(answer.foodPrice),
            price=money.checked(answer.homestayPrice),
            market_price=money.checked(answer.marketHomestayPrice),
        )
    except (ValueError, InvalidInput) as error:
        raise _nonsense(_TRAVEL, answer) from error


def _payment(answer: payment_pb2.PaymentDetail, order_sn: str) -> Payment | None:
    if answer.id == 0:
        return None
    if answer.orderSn != order_sn:
        raise _nonsense(_PAYMENT, answer)
    try:
        return Payment(
            sn=answer.sn,
            order_sn=answer.orderSn,
            mode=answer.payMode,
            total=money.checked(answer.payTotal),
            status=PaymentStatus(answer.payStatus),
            paid_at=datetime.fromtimestamp(answer.payTime, UTC) if answer.payTime > 0 else None,
        )
    except (ValueError, OverflowError, OSError, InvalidInput) as error:
        raise _nonsense(_PAYMENT, answer) from error


def _nonsense(upstream: str, answer: Message) -> UpstreamUnavailable:
    return UpstreamUnavailable(upstream, f"its {answer.DESCRIPTOR.name} makes no sense")
