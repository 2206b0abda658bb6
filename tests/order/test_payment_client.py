"""The payment service as orders see it, whoever wrote it and whatever it says."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import pytest

from domain import rpc
from domain.errors import UpstreamUnavailable
from domain.order.payment_client import PaymentClient
from domain.order.ports import Payment
from domain.order.states import PaymentStatus
from domain.order.travel_client import TravelClient
from proto import payment_pb2
from tests.conftest import NOW
from tests.order.rows import GUEST, PRICE
from tests.order.strangers import FAILURES, SILENCE, Stranger, serving
from tests.servers import free_port

SN: Final = "HSO20260520120000ABCDEFGH"
PAYMENT_SN: Final = "PMT20260520120000ABCDEFGH"
PAID_AT: Final = datetime(2026, 5, 20, 4, 5, 6, tzinfo=UTC)
EMPTY: Final = payment_pb2.PaymentDetail()


def detail(**named: Any) -> payment_pb2.PaymentDetail:
    """A payment that succeeded, as the payment service tells it, unless a test says otherwise."""
    payment = {
        "id": 5,
        "sn": PAYMENT_SN,
        "userId": GUEST,
        "payMode": "WECHAT_PAY",
        "payTotal": PRICE,
        "orderSn": SN,
        "payStatus": 1,
        "payTime": int(PAID_AT.timestamp()),
    }
    return payment_pb2.PaymentDetail(**{**payment, **named})


def of_order(answer: payment_pb2.PaymentDetail) -> payment_pb2.GetPaymentByOrderSnResp:
    return payment_pb2.GetPaymentByOrderSnResp(paymentDetail=answer)


def settled(answer: payment_pb2.PaymentDetail) -> payment_pb2.GetPaymentSuccessRefundByOrderSnResp:
    return payment_pb2.GetPaymentSuccessRefundByOrderSnResp(paymentDetail=answer)


def by_sn(answer: payment_pb2.PaymentDetail) -> payment_pb2.GetPaymentBySnResp:
    return payment_pb2.GetPaymentBySnResp(paymentDetail=answer)


def payment(status: PaymentStatus = PaymentStatus.SUCCESS, paid_at: datetime | None = PAID_AT) -> Payment:
    return Payment(PAYMENT_SN, SN, "WECHAT_PAY", PRICE, status, paid_at)


async def ask(**answers: Any) -> Payment | None:
    async with serving(Stranger(**answers)) as channel:
        return await PaymentClient(channel).of_order(SN)


async def refund(**answers: Any) -> bool:
    async with serving(Stranger(**answers)) as channel:
        return await PaymentClient(channel).refund(SN, PAYMENT_SN)


async def open_payment(**answers: Any) -> Payment:
    async with serving(Stranger(**answers)) as channel:
        return await PaymentClient(channel).open(order_sn=SN, user_id=GUEST, total=PRICE, pay_before=NOW)


CREATED: Final = payment_pb2.CreatePaymentResp(sn=PAYMENT_SN)
REFUNDED: Final = payment_pb2.RefundPaymentResp(paymentDetail=detail(payStatus=2))
NONSENSE: Final[list[dict[str, Any]]] = [
    {"sn": ""},
    {"sn": "P" * 26},
    {"payStatus": 3},
    {"payStatus": -2},
    {"payTotal": -1},
    {"payTotal": 2**53},
    {"payTime": 2**63 - 1},
]


async def test_a_paid_payment_is_understood() -> None:
    stranger = Stranger(GetPaymentByOrderSn=of_order(detail()))
    async with serving(stranger) as channel:
        assert await PaymentClient(channel).of_order(SN) == payment()
    assert stranger.asked == ["GetPaymentByOrderSn"]
    assert payment_pb2.GetPaymentByOrderSnReq.FromString(stranger.requests[0]).orderSn == SN


@pytest.mark.parametrize("status", PaymentStatus)
async def test_a_payment_has_its_status_and_no_time_unless_it_was_paid(status: PaymentStatus) -> None:
    found = await ask(GetPaymentByOrderSn=of_order(detail(payStatus=status, payTime=0)))
    assert found == payment(status, paid_at=None)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(of_order(EMPTY), id="empty"),
        pytest.param(payment_pb2.GetPaymentByOrderSnResp(), id="nothing"),
        pytest.param(grpc.StatusCode.NOT_FOUND, id="not found"),
    ],
)
async def test_no_payment_is_understood_however_it_is_said(answer: Any) -> None:
    assert await ask(GetPaymentByOrderSn=answer) is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param(settled(detail()), payment(), id="paid"),
        pytest.param(settled(detail(payStatus=2)), payment(PaymentStatus.REFUNDED), id="refunded"),
        pytest.param(settled(EMPTY), None, id="empty"),
        pytest.param(payment_pb2.GetPaymentSuccessRefundByOrderSnResp(), None, id="nothing"),
        pytest.param(grpc.StatusCode.NOT_FOUND, None, id="not found"),
    ],
)
async def test_the_existing_service_is_asked_in_its_own_words(answer: Any, found: Payment | None) -> None:
    stranger = Stranger(GetPaymentSuccessRefundByOrderSn=answer)
    async with serving(stranger) as channel:
        assert await PaymentClient(channel).of_order(SN) == found
    assert stranger.asked == ["GetPaymentByOrderSn", "GetPaymentSuccessRefundByOrderSn"]
    assert payment_pb2.GetPaymentSuccessRefundByOrderSnReq.FromString(stranger.requests[0]).orderSn == SN


@pytest.mark.parametrize("named", NONSENSE, ids=str)
async def test_what_makes_no_sense_is_no_answer(named: dict[str, Any]) -> None:
    answer = detail(**named)
    for client, answers in (
        (ask, {"GetPaymentByOrderSn": of_order(answer)}),
        (ask, {"GetPaymentSuccessRefundByOrderSn": settled(answer)}),
        (open_payment, {"CreatePayment": CREATED, "GetPaymentBySn": by_sn(answer)}),
    ):
        with pytest.raises(UpstreamUnavailable) as failure:
            await client(**answers)
        assert failure.value.upstream == "payment"


async def test_what_is_said_of_another_order_is_no_answer() -> None:
    other = detail(orderSn="HSO20260520120000SOMEBODY")
    for client, answers in (
        (ask, {"GetPaymentByOrderSn": of_order(other)}),
        (ask, {"GetPaymentSuccessRefundByOrderSn": settled(other)}),
        (open_payment, {"CreatePayment": CREATED, "GetPaymentBySn": by_sn(other)}),
    ):
        with pytest.raises(UpstreamUnavailable):
            await client(**answers)


async def test_a_reply_that_cant_be_read_does_not_mean_that_there_is_no_payment() -> None:
    garbage = b"\xff\xff\xff"
    for answers in ({"GetPaymentByOrderSn": garbage}, {"GetPaymentSuccessRefundByOrderSn": garbage}):
        with pytest.raises(UpstreamUnavailable):
            await ask(**answers)


@pytest.mark.parametrize("status", FAILURES, ids=str)
async def test_what_fails_is_unavailable_and_nothing_else(status: grpc.StatusCode) -> None:
    for client, answers in (
        (ask, {"GetPaymentByOrderSn": status}),
        (ask, {"GetPaymentSuccessRefundByOrderSn": status}),
        (refund, {"RefundPayment": status}),
        (open_payment, {"CreatePayment": status}),
        (open_payment, {"CreatePayment": CREATED, "GetPaymentBySn": status}),
    ):
        with pytest.raises(UpstreamUnavailable) as failure:
            await client(**answers)
        assert failure.value.upstream == "payment"


async def test_a_service_without_the_methods_that_it_must_have_cant_be_asked() -> None:
    for client, answers in ((ask, {}), (open_payment, {}), (open_payment, {"CreatePayment": CREATED})):
        with pytest.raises(UpstreamUnavailable):
            await client(**answers)


async def test_a_service_that_is_not_there_cant_be_asked() -> None:
    async with rpc.channel(f"127.0.0.1:{free_port()}") as channel:
        client = PaymentClient(channel)
        with pytest.raises(UpstreamUnavailable):
            await client.of_order(SN)
        with pytest.raises(UpstreamUnavailable):
            await client.refund(SN, PAYMENT_SN)
        with pytest.raises(UpstreamUnavailable):
            await client.open(order_sn=SN, user_id=GUEST, total=PRICE, pay_before=NOW)


async def test_a_refund_is_asked_for_by_order_and_payment() -> None:
    stranger = Stranger(RefundPayment=REFUNDED)
    async with serving(stranger) as channel:
        assert await PaymentClient(channel).refund(SN, PAYMENT_SN)
    asked = payment_pb2.RefundPaymentReq.FromString(stranger.requests[0])
    assert asked == payment_pb2.RefundPaymentReq(orderSn=SN, sn=PAYMENT_SN)


async def test_a_refund_of_no_payment_in_particular_is_never_asked_for() -> None:
    stranger = Stranger(RefundPayment=REFUNDED)
    async with serving(stranger) as channel:
        with pytest.raises(ValueError, match="which"):
            await PaymentClient(channel).refund(SN, "")
    assert stranger.asked == []


@pytest.mark.parametrize(
    "named",
    [{"payStatus": 1}, {"sn": "PMT20260520120000ANOTHER0"}, {"orderSn": "HSO20260520120000SOMEBODY"}, {"id": 0}],
    ids=str,
)
async def test_that_something_else_went_back_is_no_answer(named: dict[str, Any]) -> None:
    answer = payment_pb2.RefundPaymentResp(paymentDetail=detail(**{"payStatus": 2, **named}))
    with pytest.raises(UpstreamUnavailable):
        await refund(RefundPayment=answer)


async def test_a_service_that_cant_refund_says_so() -> None:
    assert await refund() is False


async def test_a_refund_of_what_it_does_not_know_is_no_refund() -> None:
    with pytest.raises(UpstreamUnavailable):
        await refund(RefundPayment=grpc.StatusCode.NOT_FOUND)


async def test_a_payment_is_opened_with_the_price_and_the_time_to_pay() -> None:
    stranger = Stranger(CreatePayment=CREATED, GetPaymentBySn=by_sn(detail(payStatus=0, payTime=0)))
    async with serving(stranger) as channel:
        opened = await PaymentClient(channel).open(order_sn=SN, user_id=GUEST, total=PRICE, pay_before=PAID_AT)
    assert opened == payment(PaymentStatus.WAIT, paid_at=None)
    created, looked_up = stranger.requests
    assert payment_pb2.CreatePaymentReq.FromString(created) == payment_pb2.CreatePaymentReq(
        userId=GUEST,
        payModel="WECHAT_PAY",
        payTotal=PRICE,
        orderSn=SN,
        serviceType="homestayOrder",
        expireTime=int(PAID_AT.timestamp()),
    )
    assert payment_pb2.GetPaymentBySnReq.FromString(looked_up).sn == PAYMENT_SN


@pytest.mark.parametrize(
    "answer", [pytest.param(by_sn(EMPTY), id="empty"), pytest.param(grpc.StatusCode.NOT_FOUND, id="not found")]
)
async def test_a_payment_that_is_lost_at_once_was_not_opened(answer: Any) -> None:
    with pytest.raises(UpstreamUnavailable):
        await open_payment(CreatePayment=CREATED, GetPaymentBySn=answer)


async def test_a_service_that_never_answers_is_given_up_in_time() -> None:
    async def given_up(asked: Any) -> float:
        start = time.monotonic()
        async with asyncio.timeout(10):
            with pytest.raises(UpstreamUnavailable):
                await asked
        return time.monotonic() - start

    silent = Stranger(homestayDetail=SILENCE, GetPaymentByOrderSn=SILENCE, RefundPayment=SILENCE, CreatePayment=SILENCE)
    older = Stranger(GetPaymentSuccessRefundByOrderSn=SILENCE, CreatePayment=CREATED, GetPaymentBySn=SILENCE)
    async with serving(silent) as channel, serving(older) as other:
        client, elder, travel = PaymentClient(channel), PaymentClient(other), TravelClient(channel)
        reads = asyncio.gather(
            given_up(travel.homestay(1)),
            given_up(client.of_order(SN)),
            given_up(elder.of_order(SN)),
            given_up(elder.open(order_sn=SN, user_id=GUEST, total=PRICE, pay_before=NOW)),
        )
        writes = asyncio.gather(
            given_up(client.refund(SN, PAYMENT_SN)),
            given_up(client.open(order_sn=SN, user_id=GUEST, total=PRICE, pay_before=NOW)),
        )
        assert all(0.9 < seconds < 1.9 for seconds in await reads)
        assert all(1.9 < seconds < 2.9 for seconds in await writes)
