"""Payments and homestays that several want at once: one call, and to each the answer to its own question."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import grpc
import pytest
from grpc import aio

from domain import rpc
from domain.database import Database
from domain.errors import UpstreamUnavailable
from domain.order.payment_client import PaymentClient
from domain.order.ports import Homestay, Payment
from domain.order.pricing import Rules
from domain.order.room import assemble
from domain.order.travel_client import TravelClient
from domain.payment import server as payment_server
from proto import payment_pb2, payment_pb2_grpc, travel_pb2
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW, SHANGHAI
from tests.factories import SOON, create_stay
from tests.fakes import FakePayments, FakeTimer
from tests.order.rows import GUEST, ORDERS, PRICE, stored
from tests.order.strangers import FAILURES, SILENCE, Stranger, serving
from tests.order.test_payment_client import NONSENSE, SN, detail, of_order
from tests.order.test_payment_client_many import OTHER_PAYMENT_SN, OTHER_SN, SINGLE, TOGETHER, paid, together
from tests.order.test_travel_client import told, told_together
from tests.payment.calls import Caller

OTHER: Final = {"id": 6, "sn": OTHER_PAYMENT_SN, "orderSn": OTHER_SN}
STRANGERS_SN: Final = "HSO20260520120000SOMEBODY"
NO_PAYMENT: Final = "HSO20260520120000NOPAYMEN"


async def wanted(client: PaymentClient, *order_sns: str) -> list[Payment | BaseException | None]:
    return await asyncio.gather(*(client.of_order(each) for each in order_sns), return_exceptions=True)


async def ask(*order_sns: str, **answers: Any) -> list[Payment | BaseException | None]:
    async with serving(Stranger(**answers)) as channel:
        return await wanted(PaymentClient(channel), *order_sns)


def unavailable(answers: Sequence[object]) -> list[bool]:
    return [isinstance(each, UpstreamUnavailable) for each in answers]


async def test_the_payments_of_several_orders_come_by_one_question() -> None:
    stranger = Stranger(GetPaymentsByOrderSns=together(detail(), detail(**OTHER)))
    async with serving(stranger) as channel:
        client = PaymentClient(channel)
        assert await wanted(client, SN, OTHER_SN, NO_PAYMENT, SN) == [
            paid(),
            paid(OTHER_SN, OTHER_PAYMENT_SN),
            None,
            paid(),
        ]
    assert stranger.asked == [TOGETHER]
    asked = payment_pb2.GetPaymentsByOrderSnsReq.FromString(stranger.requests[0])
    assert list(asked.orderSns) == [SN, OTHER_SN, NO_PAYMENT]


@pytest.mark.parametrize(
    "details",
    [
        pytest.param([detail(**OTHER), detail()], id="swapped"),
        pytest.param([detail(), detail(**OTHER), detail()], id="twice"),
        pytest.param([detail(), detail(id=9, sn="PMT9", payStatus=-1), detail(**OTHER)], id="a failed one beside it"),
        pytest.param([detail(), detail(**{**OTHER, "payStatus": 1}), detail(id=7, sn="")], id="nonsense beside it"),
    ],
)
async def test_each_order_gets_the_first_of_its_own_payments(details: list[payment_pb2.PaymentDetail]) -> None:
    assert await ask(SN, OTHER_SN, GetPaymentsByOrderSns=together(*details)) == [
        paid(),
        paid(OTHER_SN, OTHER_PAYMENT_SN),
    ]


@pytest.mark.parametrize("named", [{"orderSn": STRANGERS_SN}, {"orderSn": ""}, {"orderSn": SN.lower()}], ids=str)
async def test_an_answer_with_another_orders_payment_is_none(named: dict[str, Any]) -> None:
    answers = await ask(SN, OTHER_SN, GetPaymentsByOrderSns=together(detail(), detail(**OTHER), detail(**named)))
    assert unavailable(answers) == [True, True]


@pytest.mark.parametrize("named", [*NONSENSE, {"id": 0}], ids=str)
async def test_what_makes_no_sense_of_one_order_is_none_of_the_others(named: dict[str, Any]) -> None:
    answers = await ask(SN, OTHER_SN, GetPaymentsByOrderSns=together(detail(**named), detail(**OTHER)))
    assert unavailable(answers) == [True, False]
    assert answers[1] == paid(OTHER_SN, OTHER_PAYMENT_SN)


@pytest.mark.parametrize(
    "answer", [b"\xff\xff\xff", grpc.StatusCode.NOT_FOUND, *FAILURES, pytest.param(SILENCE, id="silence")], ids=str
)
async def test_a_call_that_fails_does_not_mean_that_nothing_was_paid(answer: Any) -> None:
    assert unavailable(await ask(SN, OTHER_SN, GetPaymentsByOrderSns=answer)) == [True, True]


@pytest.mark.parametrize("status", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED], ids=str)
async def test_an_order_that_spoils_the_question_spoils_it_for_itself_alone(status: grpc.StatusCode) -> None:
    stranger = Stranger(GetPaymentsByOrderSns=status, GetPaymentByOrderSn=of_order(detail()))
    async with serving(stranger) as channel:
        answers = await wanted(PaymentClient(channel), SN, OTHER_SN)
    # It answers of the one order whatever it is asked.
    assert answers[0] == paid()
    assert unavailable(answers) == [False, True]
    assert stranger.asked == [TOGETHER, SINGLE, SINGLE]


async def test_what_a_service_lacks_is_not_asked_for_again_and_each_order_by_itself() -> None:
    stranger = Stranger(GetPaymentByOrderSn=of_order(detail()))
    async with serving(stranger) as channel:
        client = PaymentClient(channel)
        for _ in range(2):
            assert unavailable(await wanted(client, SN, OTHER_SN)) == [False, True]
        assert stranger.asked == [TOGETHER, *[SINGLE] * 4]
        client._lacking.clear()
        await wanted(client, SN, OTHER_SN)
    assert stranger.asked.count(TOGETHER) == 2


async def test_our_own_service_answers_the_same_together_as_alone(database: Database, clock: FrozenClock) -> None:
    server = payment_server.server(database, lambda: None, clock, zone=SHANGHAI, host="127.0.0.1", port=0)
    await server.start()
    try:
        async with rpc.channel(server.address) as channel:
            client, provider = PaymentClient(channel), Caller(payment_pb2_grpc.paymentStub(channel))
            sns = [f"HSO{number}" for number in range(3)]
            for sn, states in zip(sns, ([-1, -1, 1], [1], []), strict=True):
                for state in states:
                    opened = await client.open(order_sn=sn, user_id=GUEST, total=PRICE, pay_before=NOW)
                    await provider.notify(opened.sn, state)
            assert await wanted(client, *sns) == [await client.of_order(sn) for sn in sns]
    finally:
        await server.stop(grace=0)


class Counting(Stranger):
    """A travel service that remembers of which homestays it was asked, question by question."""

    def __init__(self) -> None:
        super().__init__()
        self.of: list[list[int]] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        single = handler_call_details.method.endswith("/homestayDetail")

        async def give(request: bytes, _: "aio.ServicerContext[bytes, bytes]") -> bytes:
            if single:
                self.of.append([travel_pb2.HomestayDetailReq.FromString(request).id])
                return told(id=self.of[-1][0], title=f"by {len(self.of)}").SerializeToString()
            self.of.append(list(travel_pb2.HomestayDetailsReq.FromString(request).ids))
            return told_together(*self.of[-1], title=f"by {len(self.of)}").SerializeToString()

        handler: Any = grpc.unary_unary_rpc_method_handler
        return handler(give)  # type: ignore[no-any-return]  # its types know no coroutines


async def test_travel_is_asked_exactly_once_for_each_order_however_many_are_placed_at_once(
    database: Database, clock: FrozenClock
) -> None:
    stranger = Counting()
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    async with serving(stranger) as channel:
        room = assemble(
            database, clock, rules, travel=TravelClient(channel), payments=FakePayments(), timer=FakeTimer()
        )
        await asyncio.gather(*(room.orders.create(GUEST, create_stay(homestay_id=each)) for each in range(1, 9)))
        assert len(stranger.of) < 8
        assert sorted(each for question in stranger.of for each in question) == list(range(1, 9))
        asked = len(stranger.of)
        # What was told before is nothing that is paid for.
        placed = await room.orders.create(GUEST, create_stay(homestay_id=1, start=SOON + timedelta(days=30)))
    assert stranger.of[asked:] == [[1]]
    assert placed.order.title == f"by {asked + 1}"
    assert len(await stored(database, ORDERS)) == 9


async def homestays(*ids: int, **answers: Any) -> list[Homestay | BaseException | None]:
    async with serving(Stranger(**answers)) as channel:
        client = TravelClient(channel)
        return await asyncio.gather(*map(client.homestay, ids), return_exceptions=True)


async def test_of_each_homestay_its_own_is_told_and_none_where_there_is_none() -> None:
    found = await homestays(1, 2, 3, homestayDetails=told_together(3, 1))
    assert [each.id if isinstance(each, Homestay) else each for each in found] == [1, None, 3]


async def test_one_homestay_that_makes_no_sense_takes_no_other_with_it() -> None:
    answer = told_together(1, 2, 3)
    answer.homestays[1].homestayPrice = -1
    assert unavailable(await homestays(1, 2, 3, homestayDetails=answer)) == [False, True, False]
    # Of which of two prices would it be?
    answer = told_together(1, 2, 1)
    assert unavailable(await homestays(1, 2, homestayDetails=answer)) == [True, False]
    assert unavailable(await homestays(1, 2, homestayDetails=told_together(1, 2, 7))) == [True, True]


async def test_a_homestay_whose_texts_are_too_long_is_missed_by_nobody_else() -> None:
    huge = told_together(1, 2)
    huge.homestays[1].info = "x" * 2_000_000
    found = await homestays(1, 2, homestayDetails=huge, homestayDetail=told())
    assert unavailable(found) == [False, True]
