"""The order service as its callers see it: on a port of its own, asked over the wire."""

from collections.abc import AsyncIterator

import pytest
from grpc import aio

from domain import rpc
from domain.order import server as order_server
from domain.order.room import OrderRoom
from domain.order.stays import Stays
from proto import order_pb2_grpc
from tests.conftest import SHANGHAI
from tests.order.calls import Caller


@pytest.fixture
def stays(room: OrderRoom) -> Stays:
    return room.stays


@pytest.fixture
async def server(room: OrderRoom) -> AsyncIterator[rpc.Server]:
    server = order_server.server(room.orders, room.closing, room.stays, zone=SHANGHAI, host="127.0.0.1", port=0)
    await server.start()
    yield server
    await server.stop(grace=0)


@pytest.fixture
async def channel(server: rpc.Server) -> AsyncIterator[aio.Channel]:
    async with rpc.channel(server.address) as channel:
        yield channel


@pytest.fixture
def caller(channel: aio.Channel) -> Caller:
    return Caller(order_pb2_grpc.orderStub(channel))
