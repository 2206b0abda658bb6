"""The payments of many orders, and changes of payments, from services of every age and whatever they say."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest
from google.protobuf.message import Message
from grpc import aio

from domain import rpc
from domain.database import Database
from domain.errors import UpstreamUnavailable
from domain.order import payment_client
from domain.order.payment_client import ORDERS_AT_ONCE, SINGLES_AT_ONCE, PaymentClient
from domain.order.ports import ChangedPayment, Payment
from domain.order.states import PaymentStatus
from domain.payment import server as payment_server
from proto import payment_pb2, payment_pb2_grpc
from tests.clock import FrozenClock
from tests.conftest import NOW, SHANGHAI
from tests.order.rows import PRICE
from tests.order.strangers import FAILURES, SILENCE, Stranger, serving
from tests.order.test_payment_client import EMPTY, NONSENSE, PAID_AT, PAYMENT_SN, SN, detail, of_order, settled
from tests.payment.calls import Caller

if TYPE_CHECKING:
    from proto.payment_pb2_grpc import paymentAsyncStub

OTHER_SN: Final = "HSO20260520120000OTHER000"
OTHER_PAYMENT_SN: Final = "PMT20260520120000OTHER000"
CHANGED_AT: Final = int(PAID_AT.timestamp())
TOGETHER: Final = "GetPaymentsByOrderSns"
SINGLE: Final = "GetPaymentByOrderSn"
SETTLED: Final = "GetPaymentSuccessRefundByOrderSn"


def together(*answers: payment_pb2.PaymentDetail) -> payment_pb2.GetPaymentsByOrderSnsResp:
    return payment_pb2.GetPaymentsByOrderSnsResp(paymentDetails=answers)


def changes(*answers: payment_pb2.PaymentDetail) -> payment_pb2.ListPaymentsResp:
    return payment_pb2.ListPaymentsResp(paymentDetails=answers)


def paid(order_sn: str = SN, sn: str = PAYMENT_SN) -> Payment:
    return Payment(sn, order_sn, "WECHAT_PAY", PRICE, PaymentStatus.SUCCESS, PAID_AT)


async def ask(order_sns: Sequence[str] = (SN,), **answers: Any) -> dict[str, list[Payment]]:
    async with serving(Stranger(**answers)) as channel:
        return await PaymentClient(channel).of_orders(order_sns)


async def walk(**answers: Any) -> list[ChangedPayment] | None:
    async with serving(Stranger(**answers)) as channel:
        return await PaymentClient(channel).changed(PAID_AT, 4, 10)


class Elder(Stranger):
    """A service without the newer methods, that is asked for each order by itself and knows how many at once.

    Args:
        method: the one that it has.
        delay: seconds until it answers.
        fails: the order of which it can't tell.
    """

    def __init__(self, method: str = SINGLE, *, delay: float = 0, fails: str = "") -> None:
        super().__init__()
        self.delay = delay
        self.at_once = 0
        self.most_at_once = 0
        self._method = method
        self._fails = fails

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        if not handler_call_details.method.endswith(f"/{self._method}"):
            return super().service(handler_call_details)

        async def give(request: bytes, context: "aio.ServicerContext[bytes, bytes]") -> bytes:
            self.asked.append(self._method)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await asyncio.sleep(self.delay)
            finally:
                self.at_once -= 1
            order_sn = payment_pb2.GetPaymentByOrderSnReq.FromString(request).orderSn
            if order_sn == self._fails:
                await context.abort(grpc.StatusCode.INTERNAL, "the test says so")
            answer: Message = (
                settled(detail(orderSn=order_sn)) if self._method == SETTLED else of_order(detail(orderSn=order_sn))
            )
            return answer.SerializeToString()

        handler: Any = grpc.unary_unary_rpc_method_handler
        return handler(give)  # type: ignore[no-any-return]  # its types know no coroutines


async def test_all_payments_of_orders_come_by_one_question() -> None:
    second = detail(id=6, sn="PMT20260520120000SECOND00", payStatus=2)
    other = detail(id=7, sn=OTHER_PAYMENT_SN, orderSn=OTHER_SN)
    stranger = Stranger(GetPaymentsByOrderSns=together(detail(), second, other))
    async with serving(stranger) as channel:
        found = await PaymentClient(channel).of_orders([SN, OTHER_SN, "HSO3", SN])
    refunded = Payment("PMT20260520120000SECOND00", SN, "WECHAT_PAY", PRICE, PaymentStatus.REFUNDED, PAID_AT)
    assert found == {SN: [paid(), refunded], OTHER_SN: [paid(OTHER_SN, OTHER_PAYMENT_SN)], "HSO3": []}
    assert stranger.asked == [TOGETHER]
    (request,) = stranger.requests
    assert payment_pb2.GetPaymentsByOrderSnsReq.FromString(request).orderSns == [SN, OTHER_SN, "HSO3"]


async def test_nobody_is_asked_for_nothing() -> None:
    stranger = Stranger(GetPaymentsByOrderSns=together())
    async with serving(stranger) as channel:
        assert await PaymentClient(channel).of_orders([]) == {}
    assert stranger.asked == []


async def test_more_orders_than_fit_into_one_question_are_asked_for_in_several() -> None:
    stranger = Stranger(GetPaymentsByOrderSns=together())
    sns = [f"HSO{number}" for number in range(2 * ORDERS_AT_ONCE + 1)]
    async with serving(stranger) as channel:
        found = await PaymentClient(channel).of_orders(sns)
    assert found == {sn: [] for sn in sns}
    asked = [payment_pb2.GetPaymentsByOrderSnsReq.FromString(request).orderSns for request in stranger.requests]
    assert [len(part) for part in asked] == [ORDERS_AT_ONCE, ORDERS_AT_ONCE, 1]
    assert [sn for part in asked for sn in part] == sns


@pytest.mark.parametrize("named", [*NONSENSE, {"orderSn": OTHER_SN}, {"orderSn": ""}, {"id": 0}], ids=str)
async def test_what_makes_no_sense_spoils_the_whole_answer(named: dict[str, Any]) -> None:
    with pytest.raises(UpstreamUnavailable):
        await ask(GetPaymentsByOrderSns=together(detail(), detail(**named)))


@pytest.mark.parametrize("answer", [b"\xff\xff\xff", grpc.StatusCode.NOT_FOUND, *FAILURES], ids=str)
async def test_a_question_that_fails_does_not_mean_that_nothing_was_paid(answer: Any) -> None:
    for answers in ({TOGETHER: answer}, {"ListPayments": answer}):
        with pytest.raises(UpstreamUnavailable):
            await (ask if TOGETHER in answers else walk)(**answers)
    if answer is not grpc.StatusCode.NOT_FOUND:
        for method in (SINGLE, SETTLED):
            with pytest.raises(UpstreamUnavailable):
                await ask(**{method: answer})


@pytest.mark.parametrize("method", [SINGLE, SETTLED])
async def test_an_older_service_is_asked_for_each_order_by_itself_and_not_too_many_at_once(method: str) -> None:
    elder = Elder(method, delay=0.01)
    sns = [f"HSO{number}" for number in range(3 * SINGLES_AT_ONCE)]
    async with serving(elder) as channel:
        assert await PaymentClient(channel).of_orders(sns) == {sn: [paid(sn)] for sn in sns}
    assert 1 < elder.most_at_once <= SINGLES_AT_ONCE


@pytest.mark.parametrize(
    "answers",
    [
        {SINGLE: of_order(EMPTY)},
        {SINGLE: grpc.StatusCode.NOT_FOUND},
        {SETTLED: settled(EMPTY)},
        {SETTLED: grpc.StatusCode.NOT_FOUND},
    ],
    ids=str,
)
async def test_an_older_service_says_that_there_is_none_in_its_own_way(answers: dict[str, Any]) -> None:
    assert await ask([SN, OTHER_SN], **answers) == {SN: [], OTHER_SN: []}


async def test_what_a_service_lacks_is_not_asked_for_again_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = Stranger(GetPaymentSuccessRefundByOrderSn=settled(detail()))
    async with serving(stranger) as channel:
        client = PaymentClient(channel)
        assert await client.of_orders([SN]) == {SN: [paid()]}
        assert stranger.asked == [TOGETHER, SINGLE, SETTLED]
        stranger.asked.clear()
        for _ in range(3):
            assert await client.of_orders([SN]) == {SN: [paid()]}
        assert await client.of_order(SN) == paid()
        assert stranger.asked == [SETTLED] * 4

        # Replaced by a newer one.
        stranger.answers[TOGETHER] = together()
        assert await client.of_orders([SN]) == {SN: [paid()]}
        now = asyncio.get_running_loop().time()
        monkeypatch.setattr(
            client,
            "_lacking",
            {request: until - payment_client.ASK_AGAIN_AFTER for request, until in client._lacking.items()},
        )
        assert all(until <= now for until in client._lacking.values())
        assert await client.of_orders([SN]) == {SN: []}


async def test_one_client_does_not_know_what_anothers_service_lacks() -> None:
    elder, newer = Stranger(GetPaymentByOrderSn=of_order(detail())), Stranger(GetPaymentsByOrderSns=together(detail()))
    async with serving(elder) as to_elder, serving(newer) as to_newer:
        for client in (PaymentClient(to_elder), PaymentClient(to_newer)):
            assert await client.of_orders([SN]) == {SN: [paid()]}
    assert newer.asked == [TOGETHER]


async def test_one_order_that_cant_be_asked_for_spoils_the_answer_and_ends_the_asking() -> None:
    elder = Elder(delay=0.05, fails="HSO0")
    async with serving(elder) as channel:
        with pytest.raises(UpstreamUnavailable) as failure:
            await PaymentClient(channel).of_orders([f"HSO{number}" for number in range(10 * SINGLES_AT_ONCE)])
        assert failure.value.upstream == "payment"
        asked = len(elder.asked)
        await asyncio.sleep(0.2)
        assert len(elder.asked) == asked < 4 * SINGLES_AT_ONCE


async def test_a_service_that_is_slow_or_silent_is_given_up_in_time() -> None:
    async def given_up(question: Any) -> float:
        start = time.monotonic()
        async with asyncio.timeout(10):
            with pytest.raises(UpstreamUnavailable):
                await question
        return time.monotonic() - start

    silent = Stranger(GetPaymentsByOrderSns=SILENCE, ListPayments=SILENCE)
    older = Stranger(GetPaymentSuccessRefundByOrderSn=SILENCE)
    async with serving(silent) as channel, serving(older) as other, serving(Elder(delay=0.4)) as slow:
        sns = [f"HSO{number}" for number in range(10 * SINGLES_AT_ONCE)]
        waits = await asyncio.gather(
            given_up(PaymentClient(channel).of_orders(sns[:ORDERS_AT_ONCE])),
            given_up(PaymentClient(channel).changed(NOW, 0, 10)),
            given_up(PaymentClient(other).of_orders(sns)),
            given_up(PaymentClient(slow).of_orders(sns)),
        )
    assert all(0.9 < seconds < 2.4 for seconds in waits), waits


async def test_changes_are_understood() -> None:
    stranger = Stranger(
        ListPayments=changes(
            detail(updateTime=CHANGED_AT),
            detail(id=2, sn=OTHER_PAYMENT_SN, orderSn=OTHER_SN, updateTime=CHANGED_AT + 1),
        )
    )
    async with serving(stranger) as channel:
        found = await PaymentClient(channel).changed(PAID_AT + timedelta(microseconds=7), 4, 10)
    assert found == [
        ChangedPayment(paid(), 5, PAID_AT),
        ChangedPayment(paid(OTHER_SN, OTHER_PAYMENT_SN), 2, PAID_AT + timedelta(seconds=1)),
    ]
    asked = payment_pb2.ListPaymentsReq.FromString(stranger.requests[0])
    assert asked == payment_pb2.ListPaymentsReq(updatedFrom=CHANGED_AT, afterId=4, limit=10)


async def test_no_changes_are_none_and_a_service_that_cant_tell_says_so() -> None:
    assert await walk(ListPayments=changes()) == []
    assert await walk() is None


@pytest.mark.parametrize(
    "places",
    [
        pytest.param([(CHANGED_AT - 1, 5)], id="earlier than asked for"),
        pytest.param([(CHANGED_AT, 4)], id="what was told before"),
        pytest.param([(CHANGED_AT, 6), (CHANGED_AT, 5)], id="ids go back"),
        pytest.param([(CHANGED_AT + 2, 5), (CHANGED_AT + 1, 6)], id="time goes back"),
        pytest.param([(CHANGED_AT, 5), (CHANGED_AT, 5)], id="twice"),
        pytest.param([(2**63 - 1, 5)], id="no time"),
    ],
)
async def test_a_list_that_would_lead_in_circles_is_no_answer(places: list[tuple[int, int]]) -> None:
    with pytest.raises(UpstreamUnavailable):
        await walk(ListPayments=changes(*(detail(updateTime=at, id=number) for at, number in places)))


@pytest.mark.parametrize("named", [*NONSENSE, {"id": 0}], ids=str)
async def test_a_change_that_makes_no_sense_is_no_answer(named: dict[str, Any]) -> None:
    with pytest.raises(UpstreamUnavailable):
        await walk(ListPayments=changes(detail(**{"updateTime": CHANGED_AT + 1, **named})))


@asynccontextmanager
async def ours(database: Database, clock: FrozenClock) -> AsyncIterator[tuple[PaymentClient, Caller]]:
    """Our own payment service, and the two who ask it."""
    server = payment_server.server(database, lambda: None, clock, zone=SHANGHAI, host="127.0.0.1", port=0)
    await server.start()
    try:
        async with rpc.channel(server.address) as channel:
            stub: paymentAsyncStub = payment_pb2_grpc.paymentStub(channel)
            yield PaymentClient(channel), Caller(stub)
    finally:
        await server.stop(grace=0)


async def test_our_own_service_is_understood(database: Database, clock: FrozenClock) -> None:
    async with ours(database, clock) as (client, provider):
        late = (await client.open(order_sn=SN, user_id=7, total=PRICE, pay_before=NOW)).sn
        await provider.notify(late, -1)
        first = (await client.open(order_sn=SN, user_id=7, total=PRICE, pay_before=NOW)).sn
        clock.advance(timedelta(seconds=1))
        await provider.notify(first, 1)
        clock.advance(timedelta(seconds=1))
        await provider.notify(late, 1)

        found = await client.of_orders([SN, OTHER_SN])
        assert found[OTHER_SN] == []
        assert [payment.sn for payment in found[SN]] == [first, late]
        assert await client.refund(SN, late)
        assert await client.refund(SN, late)
        statuses = {payment.sn: payment.status for payment in (await client.of_orders([SN]))[SN]}
        assert statuses == {first: PaymentStatus.SUCCESS, late: PaymentStatus.REFUNDED}

        walked: list[ChangedPayment] = []
        since, after = datetime.fromtimestamp(0, UTC), 0
        while page := await client.changed(since, after, 1):
            walked += page
            since, after = page[-1].changed_at, page[-1].id
        assert [(change.payment.sn, change.changed_at) for change in walked] == [
            (first, NOW + timedelta(seconds=1)),
            (late, NOW + timedelta(seconds=2)),
        ]
