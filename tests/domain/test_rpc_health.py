"""A service says that it is well only while its database is, so that callers go to another one."""

import asyncio
from itertools import count
from typing import Any, Final

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from domain import rpc
from domain.database import Database
from domain.errors import DatabaseUnavailable
from domain.order import server as order_server
from domain.order.room import OrderRoom
from domain.payment import server as payment_server
from domain.travel import server as travel_server
from tests.clock import FrozenClock
from tests.conftest import SHANGHAI

WELL: Final = health_pb2.HealthCheckResponse.SERVING
NOT_WELL: Final = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "PING_EVERY", 0.02)
    monkeypatch.setattr(rpc, "PING_DEADLINE", 0.2)


async def become(server: rpc.Server, wanted: int) -> None:
    """Waits until the service says of itself and of its process what is wanted."""
    async with aio.insecure_channel(server.address) as channel, asyncio.timeout(30):
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its types know no methods
        for name in ("", server.name):
            while (await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=2)).status != wanted:  # noqa: ASYNC110 -- it is asked, it does not tell
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("trouble", ["lost", "frozen", "a bug"])
async def test_it_follows_what_the_service_can_not_work_without(trouble: str) -> None:
    broken = False
    pings = count()

    async def ping() -> None:
        next(pings)
        if broken and trouble == "frozen":
            await asyncio.Event().wait()
        if broken:
            raise DatabaseUnavailable("gone") if trouble == "lost" else LookupError

    server = rpc.Server("pb.travel", lambda _: None, host="127.0.0.1", port=0, ping=ping)
    await server.start()
    try:
        await become(server, WELL)
        broken = True
        await become(server, NOT_WELL)
        broken = False
        await become(server, WELL)
    finally:
        await server.stop(0)
    asked = next(pings)
    await asyncio.sleep(0.1)
    assert next(pings) == asked + 1


async def test_all_services_ask_their_database(database: Database, room: OrderRoom, clock: FrozenClock) -> None:
    servers = [
        travel_server.server(database, host="127.0.0.1", port=0),
        payment_server.server(database, lambda: None, clock, zone=SHANGHAI, host="127.0.0.1", port=0),
        order_server.server(
            room.orders, room.closing, room.stays, zone=SHANGHAI, host="127.0.0.1", port=0, ping=database.ping
        ),
    ]
    for server in servers:
        await server.start()
    try:
        for server in servers:
            assert server._ping == database.ping
            await become(server, WELL)
    finally:
        for server in servers:
            await server.stop(0)
