"""The travel and payment services that every contender asks: the reference services, remembering their answers.

A reference service reads its table for each question, and would be the slowest part of every request: what is measured
would be it, and not who asks. So what it answered once it answers from memory, in the same bytes on the same wire. What
is asked for together is put together from what it says of each. Ours asks so for what several requests want at once; a
peer may, where that fits it.

    python -m benchmarks.edge.upstreams        (addresses and database as `homestay travel-rpc` has them)

With BENCHMARK_SINGLE_QUESTIONS set it lacks these methods, as the existing services do: everybody has to ask for each
thing by itself then, and what asking together saves is the difference.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

import grpc
import pymysql
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from sqlalchemy import make_url

from benchmarks.edge.rows import HOMESTAYS
from domain.database import Database
from domain.engine import create_engine
from domain.payment.server import PaymentService
from domain.payment.service import Payments
from domain.travel.server import TravelService
from proto import payment_pb2, travel_pb2
from workers.clock import SystemClock

# Questions that have one answer as long as nobody writes, and in this run nobody does.
REMEMBERED: Final = frozenset({"homestayDetail", "GetPaymentByOrderSn"})
# Questions about several things, as the questions about each of them.
TOGETHER: Final[dict[str, Callable[[bytes], Iterable[Message]]]] = {
    "homestayDetails": lambda asked: (
        travel_pb2.HomestayDetailReq(id=each) for each in travel_pb2.HomestayDetailsReq.FromString(asked).ids
    ),
    "GetPaymentsByOrderSns": lambda asked: (
        payment_pb2.GetPaymentByOrderSnReq(orderSn=each)
        for each in payment_pb2.GetPaymentsByOrderSnsReq.FromString(asked).orderSns
    ),
}
SINGLE_QUESTIONS: Final = "BENCHMARK_SINGLE_QUESTIONS"
AT_ONCE: Final = 500

Answer = Callable[[bytes, Any], Awaitable[bytes]]


def remembering(
    service: object, descriptor: ServiceDescriptor, memory: dict[bytes, bytes], *, singles: bool = False
) -> grpc.GenericRpcHandler:
    """A service's methods, bytes to bytes, answered from `memory` where what they are asked is known there.

    Args:
        service: answers what is not known.
        descriptor: names its methods.
        memory: answers of `REMEMBERED` by their questions.
        singles: whether it lacks the methods of `TOGETHER`.
    """

    def method(name: str, request: type[Message]) -> Answer:
        really = getattr(service, name)

        async def answer(asked: bytes, context: Any) -> bytes:  # noqa: ANN401 -- gRPC's own
            if (known := memory.get(asked)) is not None:
                return known
            told = (await really(request.FromString(asked), context)).SerializeToString()
            memory[asked] = told
            return bytes(told)

        async def together(asked: bytes, context: Any) -> bytes:  # noqa: ANN401
            known = [memory.get(each.SerializeToString()) for each in TOGETHER[name](asked)]
            # Each answer is one field, and the answer to all of them repeats that field.
            return await plain(asked, context) if None in known else b"".join(filter(None, known))

        async def plain(asked: bytes, context: Any) -> bytes:  # noqa: ANN401
            return bytes((await really(request.FromString(asked), context)).SerializeToString())

        return answer if name in REMEMBERED else together if name in TOGETHER else plain

    return grpc.method_handlers_generic_handler(
        descriptor.full_name,
        {
            each.name: grpc.unary_unary_rpc_method_handler(method(each.name, GetMessageClass(each.input_type)))
            for each in descriptor.methods
            if hasattr(service, each.name) and not (singles and each.name in TOGETHER)
        },
    )


async def learn_homestays(travel: TravelService) -> dict[bytes, bytes]:
    """What the travel service says of each homestay."""
    memory = {}
    for number in range(1, HOMESTAYS + 1):
        asked = travel_pb2.HomestayDetailReq(id=number)
        memory[asked.SerializeToString()] = (await travel.homestayDetail(asked, None)).SerializeToString()
    return memory


async def learn_payments(payments: PaymentService, url: str) -> dict[bytes, bytes]:
    """What the payment service says of each paid order."""
    memory: dict[bytes, bytes] = {}
    sns = _paid(url)
    for start in range(0, len(sns), AT_ONCE):
        asked = payment_pb2.GetPaymentsByOrderSnsReq(orderSns=sns[start : start + AT_ONCE])
        for detail in (await payments.GetPaymentsByOrderSns(asked, None)).paymentDetails:
            one = payment_pb2.GetPaymentByOrderSnReq(orderSn=detail.orderSn)
            told = payment_pb2.GetPaymentByOrderSnResp(paymentDetail=detail)
            memory[one.SerializeToString()] = told.SerializeToString()
        print(f"\r{len(memory):>9} of {len(sns)} payments learnt", end="", file=sys.stderr)  # noqa: T201
    print(file=sys.stderr)  # noqa: T201
    return memory


def _paid(url: str) -> list[str]:
    at = make_url(url)
    with pymysql.connect(
        host=at.host, port=at.port or 3306, user=at.username, password=at.password, database=at.database
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT order_sn FROM third_payment")
        return [sn for (sn,) in cursor.fetchall()]


async def serve(url: str, travel_address: str, payment_address: str, *, singles: bool = False) -> None:
    """Learns, then serves until it is ended."""
    database = Database(create_engine(url))
    travel = TravelService(database)
    payments = PaymentService(Payments(database, lambda: None, SystemClock(), zone=ZoneInfo("Asia/Shanghai")))
    servers = []
    for service, descriptor, memory, address in (
        (travel, travel_pb2.DESCRIPTOR.services_by_name["travel"], await learn_homestays(travel), travel_address),
        (
            payments,
            payment_pb2.DESCRIPTOR.services_by_name["payment"],
            await learn_payments(payments, url),
            payment_address,
        ),
    ):
        server = aio.server()
        server.add_generic_rpc_handlers((remembering(service, descriptor, memory, singles=singles),))
        server.add_insecure_port(address)
        await server.start()
        servers.append(server)
    print("upstreams ready", flush=True)  # noqa: T201
    await asyncio.gather(*(server.wait_for_termination() for server in servers))


if __name__ == "__main__":
    asyncio.run(
        serve(
            os.environ["HOMESTAY_DATABASE_URL"],
            os.environ["HOMESTAY_TRAVEL_ADDR"],
            os.environ["HOMESTAY_PAYMENT_ADDR"],
            singles=bool(os.environ.get(SINGLE_QUESTIONS)),
        )
    )
