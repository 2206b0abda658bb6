"""The payment service as orders see it: gRPC, a deadline on every call, answers checked before use."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from google.protobuf.message import Message
from grpc import aio

from domain import deadline, money, rpc
from domain.errors import InvalidInput, UpstreamUnavailable
from domain.gathered import Gathered
from domain.money import Fen
from domain.order.ports import ChangedPayment, Payment
from domain.order.states import PaymentStatus
from domain.order.upstreams import READ_DEADLINE, WRITE_DEADLINE, nonsense
from proto import payment_pb2, payment_pb2_grpc

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response")

# Orders in one question. The service allows more, but a long answer may not fit into one message.
ORDERS_AT_ONCE: Final = 200
# Questions at once where a service has to be asked for each order by itself, and seconds for all of them.
SINGLES_AT_ONCE: Final = 16
SINGLES_DEADLINE: Final = 1.5
# Seconds until a service is asked again for a method that it lacked: it may have been replaced by a newer one.
ASK_AGAIN_AFTER: Final = 60.0

# Methods that change nothing.
READS: Final = tuple(
    f"pb.payment/{method}"
    for method in (
        "GetPaymentBySn",
        "GetPaymentByOrderSn",
        "GetPaymentSuccessRefundByOrderSn",
        "GetPaymentsByOrderSns",
        "ListPayments",
    )
)
# Seconds for opening a payment, with the question for what was opened.
OPEN_DEADLINE: Final = 2.4

# What the existing payment service knows as its business and as its default way to pay.
_SERVICE_TYPE: Final = "homestayOrder"
_PAY_MODE: Final = "WECHAT_PAY"
_PAYMENT: Final = "payment"
# In characters, as the tables have it.
_MAX_SN: Final = 25


class PaymentClient:
    """`domain.order.ports.Payments` over gRPC."""

    def __init__(self, channel: aio.Channel) -> None:
        self._payment = payment_pb2_grpc.paymentStub(channel)
        self._guard = rpc.guard(_PAYMENT, channel)
        # By a method's request: until when the loop's clock takes it for lacking.
        self._lacking: dict[type[Message], float] = {}
        self._of_order = Gathered(
            _PAYMENT,
            self._one,
            self._first_of_each,
            knows_several=lambda: self._may_know(payment_pb2.GetPaymentsByOrderSnsReq),
            most=ORDERS_AT_ONCE,
            limit=READ_DEADLINE,
        )

    async def open(self, *, order_sn: str, user_id: int, total: Fen, pay_before: datetime) -> Payment:
        """Opens the one payment of an order, or finds it again.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        with deadline.budget(OPEN_DEADLINE):
            opened = await rpc.ask(
                self._guard,
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
                self._guard,
                self._payment.GetPaymentBySn,
                payment_pb2.GetPaymentBySnReq(sn=opened.sn),
                deadline=READ_DEADLINE,
            )
        payment = None if found is None else _payment_or_none(found.paymentDetail, order_sn)
        if payment is None:
            raise UpstreamUnavailable(_PAYMENT, "it does not know the payment that it opened")
        return payment

    def of_order(self, order_sn: str) -> Awaitable[Payment | None]:
        """The payment of an order that matters now; of the existing service, only a paid or refunded one.

        It is asked for together with what others want to know at the same time.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        return self._of_order.ask(order_sn)

    async def of_orders(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        """All payments of these orders, the one that matters most first; of an older service, only that one.

        Returns:
            A list for each order that was asked for, empty where it has no payment.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        wanted = list(dict.fromkeys(order_sns))
        try:
            return await self._together(wanted)
        except rpc.Unimplemented:
            return await self._one_by_one(wanted)

    async def changed(self, since: datetime, after_id: int, limit: int) -> list[ChangedPayment] | None:
        """Payments by the time of their last change, the oldest first; None where the service is an older one.

        Args:
            since: whole seconds; what changed earlier is left out.
            after_id: of those that changed in that very second, only ids above this one.
            limit: payments wanted, 500 at most.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        request = payment_pb2.ListPaymentsReq(updatedFrom=int(since.timestamp()), afterId=after_id, limit=limit)
        try:
            answer = await self._ask_newer(self._payment.ListPayments, request)
        except rpc.Unimplemented:
            return None
        if answer is None:
            raise UpstreamUnavailable(_PAYMENT, "it knows no list of payments")
        # Each further than the one before it, or whoever walks along them would walk in circles.
        places = [
            (request.updatedFrom, after_id),
            *((detail.updateTime, detail.id) for detail in answer.paymentDetails),
        ]
        if places != sorted(set(places)):
            raise nonsense(_PAYMENT, answer)
        return [
            ChangedPayment(_payment(detail, detail.orderSn), detail.id, _instant(detail.updateTime, answer))
            for detail in answer.paymentDetails
        ]

    async def refund(self, order_sn: str, payment_sn: str) -> bool:
        """Returns the money of one payment of an order, once however often it is asked.

        Returns:
            False where the service lacks the method, as the existing one does.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
            ValueError: no payment is named; the service would return the money of all.
        """
        if not payment_sn:
            raise ValueError("which payment?")
        try:
            answer = await rpc.ask(
                self._guard,
                self._payment.RefundPayment,
                payment_pb2.RefundPaymentReq(orderSn=order_sn, sn=payment_sn),
                deadline=WRITE_DEADLINE,
            )
        except rpc.Unimplemented:
            return False
        if answer is None:
            raise UpstreamUnavailable(_PAYMENT, "it knows no payment to return")
        returned = _payment(answer.paymentDetail, order_sn)
        if returned.sn != payment_sn or returned.status is not PaymentStatus.REFUNDED:
            raise nonsense(_PAYMENT, answer)
        return True

    async def _one(self, order_sn: str) -> Payment | None:
        answer: payment_pb2.GetPaymentByOrderSnResp | payment_pb2.GetPaymentSuccessRefundByOrderSnResp | None
        with deadline.budget(READ_DEADLINE):
            try:
                answer = await self._ask_newer(
                    self._payment.GetPaymentByOrderSn, payment_pb2.GetPaymentByOrderSnReq(orderSn=order_sn)
                )
            except rpc.Unimplemented:
                answer = await rpc.ask(
                    self._guard,
                    self._payment.GetPaymentSuccessRefundByOrderSn,
                    payment_pb2.GetPaymentSuccessRefundByOrderSnReq(orderSn=order_sn),
                    deadline=READ_DEADLINE,
                )
        return None if answer is None else _payment_or_none(answer.paymentDetail, order_sn)

    async def _first_of_each(self, order_sns: list[str]) -> Mapping[str, Payment | Exception | None]:
        """Of each order the payment that matters most, or why its payments make no sense."""
        found: dict[str, Payment | Exception | None] = dict.fromkeys(order_sns)
        for detail in (await self._ask_together(order_sns)).paymentDetails:
            # The first one is it. One that makes no sense says nothing of other orders.
            if found[detail.orderSn] is None:
                try:
                    found[detail.orderSn] = _payment(detail, detail.orderSn)
                except UpstreamUnavailable as error:
                    found[detail.orderSn] = error
        return found

    async def _together(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        found: dict[str, list[Payment]] = {order_sn: [] for order_sn in order_sns}
        for start in range(0, len(order_sns), ORDERS_AT_ONCE):
            asked = order_sns[start : start + ORDERS_AT_ONCE]
            for detail in (await self._ask_together(asked)).paymentDetails:
                found[detail.orderSn].append(_payment(detail, detail.orderSn))
        return found

    async def _ask_together(self, order_sns: Sequence[str]) -> payment_pb2.GetPaymentsByOrderSnsResp:
        answer = await self._ask_newer(
            self._payment.GetPaymentsByOrderSns, payment_pb2.GetPaymentsByOrderSnsReq(orderSns=order_sns)
        )
        if answer is None:
            raise UpstreamUnavailable(_PAYMENT, "it knows no payments of orders")
        # Whose payment it would be is anybody's guess.
        if not {detail.orderSn for detail in answer.paymentDetails} <= set(order_sns):
            raise nonsense(_PAYMENT, answer)
        return answer

    async def _one_by_one(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        gate = asyncio.Semaphore(SINGLES_AT_ONCE)

        async def ask(order_sn: str) -> Payment | None:
            async with gate:
                return await self._one(order_sn)

        try:
            async with asyncio.timeout(SINGLES_DEADLINE), asyncio.TaskGroup() as questions:
                asked = {order_sn: questions.create_task(ask(order_sn)) for order_sn in order_sns}
        except TimeoutError as error:
            raise UpstreamUnavailable(_PAYMENT, f"it is too slow to tell of {len(order_sns)} orders") from error
        except ExceptionGroup as failures:
            # The first ends all; that there are others, cancelled or not, is no news.
            raise failures.exceptions[0] from None
        return {
            order_sn: [] if (payment := question.result()) is None else [payment]
            for order_sn, question in asked.items()
        }

    async def _ask_newer(
        self, method: "aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response | None:
        """Asks by a method that the existing service lacks, unless it is known to lack it.

        Raises:
            Unimplemented: it lacks it, or lacked it a moment ago.
            UpstreamUnavailable: it could not be asked in time.
        """
        if not self._may_know(type(request)):
            raise rpc.Unimplemented(_PAYMENT, "it lacked a method a moment ago")
        try:
            return await rpc.ask(self._guard, method, request, deadline=READ_DEADLINE)
        except rpc.Unimplemented:
            self._lacking[type(request)] = asyncio.get_running_loop().time() + ASK_AGAIN_AFTER
            raise

    def _may_know(self, request: type[Message]) -> bool:
        until = self._lacking.get(request)
        return until is None or asyncio.get_running_loop().time() >= until


def _payment_or_none(answer: payment_pb2.PaymentDetail, order_sn: str) -> Payment | None:
    """None where the existing service says so, by an empty message."""
    return None if answer.id == 0 else _payment(answer, order_sn)


def _payment(answer: payment_pb2.PaymentDetail, order_sn: str) -> Payment:
    # Without its number nobody could ask for this one payment's money.
    if answer.id == 0 or answer.orderSn != order_sn or not 0 < len(answer.sn) <= _MAX_SN:
        raise nonsense(_PAYMENT, answer)
    try:
        return Payment(
            sn=answer.sn,
            order_sn=answer.orderSn,
            mode=answer.payMode,
            total=money.checked(answer.payTotal),
            status=PaymentStatus(answer.payStatus),
            paid_at=_instant(answer.payTime, answer) if answer.payTime > 0 else None,
        )
    except (ValueError, InvalidInput) as error:
        raise nonsense(_PAYMENT, answer) from error


def _instant(seconds: int, answer: Message) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise nonsense(_PAYMENT, answer) from error
