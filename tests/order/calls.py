"""Calls to the order service in few words: a test names only what matters to it."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Final

import grpc
import pytest
from grpc import aio

from domain import rpc
from domain.order.server import ANY_STATE
from proto import order_pb2
from tests.conftest import SHANGHAI
from tests.order.rows import GUEST

if TYPE_CHECKING:
    from proto.order_pb2_grpc import orderAsyncStub

DEADLINE: Final = 20.0
ARRIVAL: Final = datetime(2026, 6, 1, 15, tzinfo=SHANGHAI)
LEAVING: Final = datetime(2026, 6, 3, 11, tzinfo=SHANGHAI)


class Caller:
    """A back-end service that asks the order service, over the wire."""

    def __init__(self, stub: "orderAsyncStub") -> None:
        self._stub = stub

    async def create(
        self,
        start: datetime = ARRIVAL,
        end: datetime = LEAVING,
        *,
        homestay_id: int = 1,
        user_id: int = GUEST,
        guests: int = 2,
        food: bool = False,
        remark: str = "",
    ) -> str:
        request = order_pb2.CreateHomestayOrderReq(
            homestayId=homestay_id,
            isFood=food,
            liveStartTime=int(start.timestamp()),
            liveEndTime=int(end.timestamp()),
            userId=user_id,
            livePeopleNum=guests,
            remark=remark,
        )
        return await self.create_as(request)

    async def create_as(self, request: order_pb2.CreateHomestayOrderReq) -> str:
        return (await self._stub.createHomestayOrder(request, timeout=DEADLINE)).sn

    async def detail(self, sn: str) -> order_pb2.HomestayOrder:
        request = order_pb2.HomestayOrderDetailReq(sn=sn)
        return (await self._stub.homestayOrderDetail(request, timeout=DEADLINE)).homestayOrder

    async def move(self, sn: str, state: int) -> order_pb2.UpdateHomestayOrderTradeStateResp:
        request = order_pb2.UpdateHomestayOrderTradeStateReq(sn=sn, tradeState=state)
        return await self._stub.updateHomestayOrderTradeState(request, timeout=DEADLINE)

    async def check_in(self, sn: str, code: str) -> int:
        request = order_pb2.CheckInHomestayOrderReq(sn=sn, tradeCode=code)
        return (await self._stub.checkInHomestayOrder(request, timeout=DEADLINE)).checkedInAt

    async def page(
        self, *, size: int = 100, last_id: int = 0, user_id: int = GUEST, state: int = ANY_STATE
    ) -> list[order_pb2.HomestayOrder]:
        request = order_pb2.UserHomestayOrderListReq(lastId=last_id, pageSize=size, userId=user_id, traderState=state)
        return list((await self._stub.userHomestayOrderList(request, timeout=DEADLINE)).list)


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str, str]:
    """The status of a refused call, its stable code, and the field to blame."""
    with pytest.raises(aio.AioRpcError) as refusal:
        await call
    (reason,) = rpc.reasons(refusal.value)
    return refusal.value.code(), reason.reason, reason.metadata.get("field", "")


def invalid(field: str) -> tuple[grpc.StatusCode, str, str]:
    """How a bad field is refused."""
    return grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT", field
