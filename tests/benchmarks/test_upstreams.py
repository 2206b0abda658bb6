"""The benchmark's upstreams say together what they say of each, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import grpc
import pytest
from grpc import aio

from benchmarks.edge.upstreams import TOGETHER, remembering
from proto import payment_pb2, payment_pb2_grpc, travel_pb2, travel_pb2_grpc

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from proto.payment_pb2_grpc import paymentAsyncStub
    from proto.travel_pb2_grpc import travelAsyncStub

TRAVEL: Final = travel_pb2.DESCRIPTOR.services_by_name["travel"]
PAYMENT: Final = payment_pb2.DESCRIPTOR.services_by_name["payment"]
HOMESTAYS: Final = [travel_pb2.Homestay(id=number, title=f"Courtyard House {number}") for number in (1, 2, 3)]
DETAILS: Final = [payment_pb2.PaymentDetail(id=number, orderSn=f"HSO{number}") for number in (1, 2, 3)]


def _always(answer: "Message") -> Callable[..., Awaitable["Message"]]:
    async def give(*_: object) -> "Message":
        return answer

    return give


# Knows nothing of what is not remembered.
FORGETFUL: Final = SimpleNamespace(
    homestayDetail=_always(travel_pb2.HomestayDetailResp()),
    homestayDetails=_always(travel_pb2.HomestayDetailsResp()),
    GetPaymentByOrderSn=_always(payment_pb2.GetPaymentByOrderSnResp()),
    GetPaymentsByOrderSns=_always(payment_pb2.GetPaymentsByOrderSnsResp()),
)


def memory() -> dict[bytes, bytes]:
    told: list[tuple[Message, Message]] = [
        *(
            (travel_pb2.HomestayDetailReq(id=each.id), travel_pb2.HomestayDetailResp(homestay=each))
            for each in HOMESTAYS
        ),
        *(
            (
                payment_pb2.GetPaymentByOrderSnReq(orderSn=each.orderSn),
                payment_pb2.GetPaymentByOrderSnResp(paymentDetail=each),
            )
            for each in DETAILS
        ),
    ]
    return {asked.SerializeToString(): answer.SerializeToString() for asked, answer in told}


@asynccontextmanager
async def serving(*, singles: bool) -> AsyncIterator[aio.Channel]:
    server = aio.server()
    server.add_generic_rpc_handlers(
        [remembering(FORGETFUL, each, memory(), singles=singles) for each in (TRAVEL, PAYMENT)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(grace=None)


async def test_what_is_asked_for_together_is_what_is_told_of_each() -> None:
    async with serving(singles=False) as channel:
        travel: travelAsyncStub = travel_pb2_grpc.travelStub(channel)
        payment: paymentAsyncStub = payment_pb2_grpc.paymentStub(channel)
        assert (await travel.homestayDetail(travel_pb2.HomestayDetailReq(id=2))).homestay == HOMESTAYS[1]
        found = await travel.homestayDetails(travel_pb2.HomestayDetailsReq(ids=[3, 1]))
        assert list(found.homestays) == [HOMESTAYS[2], HOMESTAYS[0]]
        paid = await payment.GetPaymentsByOrderSns(payment_pb2.GetPaymentsByOrderSnsReq(orderSns=["HSO1", "HSO3"]))
        assert list(paid.paymentDetails) == [DETAILS[0], DETAILS[2]]
        # What is not remembered is asked for really.
        found = await travel.homestayDetails(travel_pb2.HomestayDetailsReq(ids=[1, 9]))
        assert list(found.homestays) == []


async def test_it_can_be_had_without_these_methods() -> None:
    async with serving(singles=True) as channel:
        travel: travelAsyncStub = travel_pb2_grpc.travelStub(channel)
        payment: paymentAsyncStub = payment_pb2_grpc.paymentStub(channel)
        assert (await travel.homestayDetail(travel_pb2.HomestayDetailReq(id=2))).homestay == HOMESTAYS[1]
        for call in (
            travel.homestayDetails(travel_pb2.HomestayDetailsReq(ids=[1, 2])),
            payment.GetPaymentsByOrderSns(payment_pb2.GetPaymentsByOrderSnsReq(orderSns=["HSO1"])),
        ):
            with pytest.raises(aio.AioRpcError) as failed:
                await call
            assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    methods = {method.name for service in (TRAVEL, PAYMENT) for method in service.methods}
    assert set(TOGETHER) <= methods
