"""The order service over the wire: placing and reading orders, and what every service of ours can be asked."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from structlog.testing import capture_logs

from domain import rpc
from domain.database import Database
from domain.money import MAX_FEN
from domain.order.service import Orders
from domain.order.states import SaleUnit, TradeState
from proto import order_pb2
from tests.conftest import NOW
from tests.factories import create_homestay
from tests.fakes import FakeTravel
from tests.order.calls import ARRIVAL, DEADLINE, LEAVING, Caller, invalid, refused
from tests.order.rows import GUEST, ORDERS, add_order, stored

NOBODY = "HSO20260520120000NOBODY00"
NOT_FOUND = grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", "sn"
SHOWN = {TradeState.WAIT_USE, TradeState.USED, TradeState.EXPIRED}


async def test_an_order_is_placed_and_told_with_every_field(caller: Caller, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=5, sale_unit=SaleUnit.PERSON, price=10_000, people_num=6))
    sn = await caller.create(homestay_id=5, guests=3, food=True, remark="早点到 🏡")
    assert travel.asked == [5]
    told = await caller.detail(sn)
    assert told == order_pb2.HomestayOrder(
        id=told.id,
        sn=sn,
        userId=GUEST,
        homestayId=5,
        title="Courtyard House",
        subTitle="Two steps from the Drum Tower",
        cover="https://example.com/cover.jpg",
        info="A quiet yard.",
        peopleNum=6,
        rowType=1,
        foodInfo="Breakfast and dinner.",
        foodPrice=3000,
        homestayPrice=10_000,
        marketHomestayPrice=39_900,
        homestayBusinessId=11,
        homestayUserId=12,
        liveStartDate=int(ARRIVAL.replace(hour=0).timestamp()),
        liveEndDate=int(LEAVING.replace(hour=0).timestamp()),
        livePeopleNum=3,
        tradeState=0,
        tradeCode="",
        remark="早点到 🏡",
        orderTotalPrice=78_000,
        foodTotalPrice=18_000,
        homestayTotalPrice=60_000,
        createTime=int(NOW.timestamp()),
        needFood=1,
    )
    assert told.id > 0


async def test_the_largest_amount_is_told_to_the_fen(caller: Caller, database: Database) -> None:
    order = await add_order(database, order_total_price=MAX_FEN, homestay_total_price=MAX_FEN - 1, food_total_price=1)
    told = await caller.detail(order.sn)
    assert (told.orderTotalPrice, told.homestayTotalPrice, told.foodTotalPrice) == (MAX_FEN, MAX_FEN - 1, 1)


async def test_the_check_in_code_is_told_from_payment_on_unless_the_money_went_back(
    caller: Caller, database: Database
) -> None:
    for state in TradeState:
        order = await add_order(database, trade_state=state, trade_code="8CHARS00")
        code = "8CHARS00" if state in SHOWN else ""
        assert (await caller.detail(order.sn)).tradeCode == code, state
        assert (await caller.move(order.sn, state)).tradeCode == code, state
        assert [told.tradeCode for told in await caller.page(state=state)] == [code], state


async def test_back_end_services_read_the_orders_of_every_guest(caller: Caller, database: Database) -> None:
    for user_id in (GUEST, 8):
        order = await add_order(database, user_id=user_id)
        assert (await caller.detail(order.sn)).userId == user_id


async def test_what_is_unknown_is_not_found(caller: Caller, database: Database) -> None:
    await add_order(database)
    for sn in (NOBODY, "", "x" * 400, "'; --\0"):
        assert await refused(caller.detail(sn)) == NOT_FOUND, sn
        assert await refused(caller.move(sn, TradeState.CANCELLED)) == NOT_FOUND, sn


async def test_a_request_that_breaks_a_rule_is_refused_by_the_name_of_its_field(
    caller: Caller, database: Database
) -> None:
    broken: list[tuple[dict[str, Any], str]] = [
        ({"user_id": 0}, "userId"),
        ({"user_id": -7}, "userId"),
        ({"homestay_id": 0}, "homestayId"),
        ({"homestay_id": -1}, "homestayId"),
        ({"guests": 0}, "livePeopleNum"),
        ({"guests": -5}, "livePeopleNum"),
        ({"guests": -(2**63)}, "livePeopleNum"),
        ({"remark": "x" * 65}, "remark"),
        ({"remark": "a\0b"}, "remark"),
    ]
    for named, field in broken:
        assert await refused(caller.create(**named)) == invalid(field), named
    assert await stored(database, ORDERS) == []


async def test_each_refusal_has_its_status_and_its_reason(
    caller: Caller, database: Database, travel: FakeTravel
) -> None:
    travel.offer(create_homestay(id=3, on_shelf=False))
    used = await add_order(database, trade_state=TradeState.USED)
    bad, gone = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    not_now, away = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE
    for call, answer in (
        (lambda: caller.create(guests=0), (bad, "INVALID_INPUT", "livePeopleNum")),
        (lambda: caller.create(guests=5), (bad, "TOO_MANY_GUESTS", "livePeopleNum")),
        (lambda: caller.create(end=ARRIVAL.replace(month=9)), (bad, "STAY_TOO_LONG", "liveEndDate")),
        (lambda: caller.create(homestay_id=404), (gone, "HOMESTAY_NOT_FOUND", "homestayId")),
        (lambda: caller.create(homestay_id=3), (not_now, "HOMESTAY_OFF_SHELF", "homestayId")),
        (lambda: caller.detail(NOBODY), (gone, "ORDER_NOT_FOUND", "sn")),
        (lambda: caller.move(used.sn, TradeState.WAIT_USE), (not_now, "INVALID_TRANSITION", "")),
        (lambda: caller.move(used.sn, 99), (bad, "INVALID_INPUT", "tradeState")),
    ):
        assert await refused(call()) == answer
    travel.down = True
    assert await refused(caller.create()) == (away, "UPSTREAM_UNAVAILABLE", "")


async def test_a_bug_is_told_as_one_and_nothing_of_it_gets_out(
    caller: Caller, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> object:
        raise LookupError("password=hunter2")

    monkeypatch.setattr(orders, "create", broken)
    with capture_logs() as logs, pytest.raises(aio.AioRpcError) as failure:
        await caller.create()
    assert failure.value.code() is grpc.StatusCode.INTERNAL
    (reason,) = rpc.reasons(failure.value)
    assert (reason.reason, reason.domain) == ("INTERNAL", rpc.ERROR_DOMAIN)
    assert "hunter2" not in f"{failure.value!r} {failure.value.trailing_metadata()}"
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [("error", "rpc failed")]


@pytest.mark.parametrize("service", ["", "pb.order"])
async def test_it_says_that_it_is_healthy(channel: aio.Channel, service: str) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)  # its types know no methods
    answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_it_describes_itself(server: rpc.Server) -> None:
    def describe() -> tuple[list[str], list[str]]:
        with grpc.insecure_channel(server.address) as channel:
            reflection = ProtoReflectionDescriptorDatabase(channel)
            file = reflection.FindFileContainingSymbol("pb.order")
            methods = [method.name for service in file.service for method in service.method]
            return list(reflection.get_services()), methods

    services, methods = await asyncio.to_thread(describe)
    assert "pb.order" in services
    assert set(methods) == {
        "checkInHomestayOrder",
        "createHomestayOrder",
        "homestayOrderDetail",
        "updateHomestayOrderTradeState",
        "userHomestayOrderList",
    }
