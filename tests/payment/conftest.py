"""The payment service as its callers see it: on a port of its own, asked over the wire."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from grpc import aio

from domain import rpc
from domain.database import Database
from domain.payment import server as payment_server
from proto import payment_pb2_grpc
from tests.clock import FrozenClock
from tests.payment.calls import ZONE, Announcements, Caller

if TYPE_CHECKING:
    from proto.payment_pb2_grpc import paymentAsyncStub


@pytest.fixture
def announcements(database: Database) -> Announcements:
    return Announcements(database)


@pytest.fixture
async def server(database: Database, announcements: Announcements, clock: FrozenClock) -> AsyncIterator[rpc.Server]:
    server = payment_server.server(database, announcements.wake, clock, zone=ZONE, host="127.0.0.1", port=0)
    await server.start()
    yield server
    await server.stop(grace=0)


@pytest.fixture
async def channel(server: rpc.Server) -> AsyncIterator[aio.Channel]:
    async with rpc.channel(server.address) as channel:
        yield channel


@pytest.fixture
def payment(channel: aio.Channel) -> "paymentAsyncStub":
    return payment_pb2_grpc.paymentStub(channel)


@pytest.fixture
def caller(payment: "paymentAsyncStub") -> Caller:
    return Caller(payment)
