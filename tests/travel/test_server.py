"""The travel service over the wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from sqlalchemy import insert, update

from domain import rpc
from domain.columns import table_of
from domain.database import Database
from domain.travel import server as travel_server
from domain.travel.catalogue import seed
from domain.travel.models import StoredHomestay
from proto import travel_pb2, travel_pb2_grpc

if TYPE_CHECKING:
    from proto.travel_pb2_grpc import travelAsyncStub

HOMESTAYS = table_of(StoredHomestay)
DEADLINE = 5.0


@pytest.fixture
async def server(database: Database) -> AsyncIterator[rpc.Server]:
    await seed(database)
    server = travel_server.server(database, host="127.0.0.1", port=0)
    await server.start()
    yield server
    await server.stop(grace=0)


@pytest.fixture
async def channel(server: rpc.Server) -> AsyncIterator[aio.Channel]:
    async with rpc.channel(server.address) as channel:
        yield channel


@pytest.fixture
def travel(channel: aio.Channel) -> "travelAsyncStub":
    return travel_pb2_grpc.travelStub(channel)


async def detail(travel: "travelAsyncStub", homestay_id: int) -> travel_pb2.Homestay:
    answer = await travel.homestayDetail(travel_pb2.HomestayDetailReq(id=homestay_id), timeout=DEADLINE)
    return answer.homestay


async def test_a_homestay_is_told_with_every_field(travel: "travelAsyncStub", database: Database) -> None:
    values = {
        "id": 2**40,
        "title": "客栈" * 16,
        "sub_title": "s" * 128,
        "banner": "https://example.com/a.jpg,https://example.com/b.jpg",
        "info": "🏡" * 4069,
        "people_num": 127,
        "homestay_business_id": 2**41,
        "user_id": 2**42,
        "row_state": 1,
        "row_type": 1,
        "food_info": "f" * 2048,
        "food_price": 2**43,
        "homestay_price": 2**44,
        "market_homestay_price": 2**45,
    }
    await database.write(lambda connection: connection.execute(insert(HOMESTAYS).values(values)))
    assert await detail(travel, 2**40) == travel_pb2.Homestay(
        id=2**40,
        title="客栈" * 16,
        subTitle="s" * 128,
        banner="https://example.com/a.jpg,https://example.com/b.jpg",
        info="🏡" * 4069,
        peopleNum=127,
        homestayBusinessId=2**41,
        userId=2**42,
        rowState=1,
        rowType=1,
        foodInfo="f" * 2048,
        foodPrice=2**43,
        homestayPrice=2**44,
        marketHomestayPrice=2**45,
    )


async def test_the_promised_homestay_is_on_sale(travel: "travelAsyncStub") -> None:
    homestay = await detail(travel, 1)
    assert (homestay.rowState, homestay.rowType, homestay.peopleNum) == (1, 0, 4)
    assert (homestay.homestayPrice, homestay.foodPrice) == (29_900, 3_000)


async def test_a_homestay_off_the_shelf_is_told_as_such(travel: "travelAsyncStub") -> None:
    homestay = await detail(travel, 3)
    assert (homestay.id, homestay.rowState) == (3, 0)


@pytest.mark.parametrize("homestay_id", [99, 2**63 - 1])
async def test_a_missing_homestay_is_not_found(travel: "travelAsyncStub", homestay_id: int) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await detail(travel, homestay_id)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    (reason,) = rpc.reasons(refused.value)
    assert (reason.reason, reason.domain) == ("HOMESTAY_NOT_FOUND", rpc.ERROR_DOMAIN)


async def test_a_deleted_homestay_is_not_found(travel: "travelAsyncStub", database: Database) -> None:
    delete = update(HOMESTAYS).where(HOMESTAYS.c.id == 1).values(del_state=1)
    await database.write(lambda connection: connection.execute(delete))
    with pytest.raises(aio.AioRpcError) as refused:
        await detail(travel, 1)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("homestay_id", [0, -1, -(2**63)])
async def test_an_id_that_none_can_have_is_refused(travel: "travelAsyncStub", homestay_id: int) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await detail(travel, homestay_id)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (reason,) = rpc.reasons(refused.value)
    assert (reason.reason, reason.metadata["field"]) == ("INVALID_INPUT", "id")


@pytest.mark.parametrize("service", ["", "pb.travel"])
async def test_it_says_that_it_is_healthy(channel: aio.Channel, service: str) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)  # its types know no methods
    answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_it_describes_itself(server: rpc.Server) -> None:
    def describe() -> tuple[list[str], list[str]]:
        with grpc.insecure_channel(server.address) as channel:
            reflection = ProtoReflectionDescriptorDatabase(channel)
            file = reflection.FindFileContainingSymbol("pb.travel")
            methods = [method.name for service in file.service for method in service.method]
            return list(reflection.get_services()), methods

    services, methods = await asyncio.to_thread(describe)
    assert "pb.travel" in services
    assert methods == ["homestayDetail", "homestayDetails"]


async def test_several_homestays_are_told_at_once(travel: "travelAsyncStub") -> None:
    one, three = await detail(travel, 1), await detail(travel, 3)
    answer = await travel.homestayDetails(travel_pb2.HomestayDetailsReq(ids=[3, 1, 2**40, 1]), timeout=DEADLINE)
    assert sorted(answer.homestays, key=lambda each: each.id) == [one, three]
    assert not (await travel.homestayDetails(travel_pb2.HomestayDetailsReq(), timeout=DEADLINE)).homestays


@pytest.mark.parametrize("ids", [[0], [1, -1], list(range(1, 102))])
async def test_nobody_asks_for_too_many_or_for_none_that_can_be(travel: "travelAsyncStub", ids: list[int]) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await travel.homestayDetails(travel_pb2.HomestayDetailsReq(ids=ids), timeout=DEADLINE)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
