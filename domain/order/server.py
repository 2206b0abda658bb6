"""The order gRPC service: translates the existing interface to the same use cases that GraphQL has."""

from datetime import UTC, date, datetime, time
from typing import Final, cast
from zoneinfo import ZoneInfo

from grpc import aio

from domain import rpc
from domain.errors import InvalidInput, OrderNotFound
from domain.order import states
from domain.order.closing import Closing
from domain.order.models import Order
from domain.order.page_repository import OrderFilter, Window
from domain.order.pricing import Stay
from domain.order.service import Orders
from domain.order.stays import Stays
from proto import order_pb2, order_pb2_grpc

MAX_PAGE: Final = 100
# What a caller sends as `traderState` for orders in any state.
ANY_STATE: Final = -99


class OrderService(order_pb2_grpc.orderServicer):
    """The four methods of the existing order service, and what ours adds."""

    def __init__(self, orders: Orders, closing: Closing, stays: Stays, zone: ZoneInfo) -> None:
        self._orders = orders
        self._closing = closing
        self._stays = stays
        self._zone = zone

    async def createHomestayOrder(
        self, request: order_pb2.CreateHomestayOrderReq, context: object
    ) -> order_pb2.CreateHomestayOrderResp:
        """Places an order; the two instants count as the calendar dates they fall on where the homestay stands."""
        stay = Stay(
            homestay_id=_positive(request.homestayId, "homestayId"),
            start=self._date(request.liveStartTime, "liveStartTime"),
            end=self._date(request.liveEndTime, "liveEndTime"),
            guests=request.livePeopleNum,
            food=request.isFood,
            remark=request.remark,
        )
        placed = await self._orders.create(_positive(request.userId, "userId"), stay, counted=False)
        return order_pb2.CreateHomestayOrderResp(sn=placed.order.sn)

    async def homestayOrderDetail(
        self, request: order_pb2.HomestayOrderDetailReq, context: object
    ) -> order_pb2.HomestayOrderDetailResp:
        """One order by its number, whoever's it is: the callers are back-end services."""
        order = await self._closing.find(request.sn)
        if order is None:
            raise OrderNotFound("There is no such order.", "sn")
        return order_pb2.HomestayOrderDetailResp(homestayOrder=self._message(order))

    async def updateHomestayOrderTradeState(
        self, request: order_pb2.UpdateHomestayOrderTradeStateReq, context: object
    ) -> order_pb2.UpdateHomestayOrderTradeStateResp:
        """Makes a legal move; a repeat is answered as the first time."""
        order = await self._closing.move(request.sn, states.from_wire(request.tradeState))
        return order_pb2.UpdateHomestayOrderTradeStateResp(
            id=order.id,
            userId=order.user_id,
            sn=order.sn,
            tradeCode=order.shown_code or "",
            liveStartDate=self._midnight(order.live_start_date),
            liveEndDate=self._midnight(order.live_end_date),
            orderTotalPrice=order.order_total_price,
            title=order.title,
        )

    async def userHomestayOrderList(
        self, request: order_pb2.UserHomestayOrderListReq, context: object
    ) -> order_pb2.UserHomestayOrderListResp:
        """A page of a guest's orders, newest first, each with the id that asks for the next page."""
        if not 1 <= request.pageSize <= MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {MAX_PAGE} orders.", "pageSize")
        if request.lastId < 0:
            raise InvalidInput("An id is positive; 0 asks for the newest.", "lastId")
        wanted = OrderFilter()
        if request.traderState != ANY_STATE:
            wanted = OrderFilter(states=frozenset({states.from_wire(request.traderState)}))
        orders = await self._orders.page(
            _positive(request.userId, "userId"),
            wanted,
            Window(limit=request.pageSize, after=request.lastId or None),
        )
        return order_pb2.UserHomestayOrderListResp(list=[self._message(order) for order in orders])

    async def checkInHomestayOrder(
        self, request: order_pb2.CheckInHomestayOrderReq, context: object
    ) -> order_pb2.CheckInHomestayOrderResp:
        """Lets a guest in who shows the check-in code; a repeat is answered as the first time."""
        checked_in_at = await self._stays.check_in(request.sn, request.tradeCode)
        return order_pb2.CheckInHomestayOrderResp(checkedInAt=int(checked_in_at.timestamp()))

    def _message(self, order: Order) -> order_pb2.HomestayOrder:
        return order_pb2.HomestayOrder(
            id=order.id,
            sn=order.sn,
            userId=order.user_id,
            homestayId=order.homestay_id,
            title=order.title,
            subTitle=order.sub_title,
            cover=order.cover,
            info=order.info,
            peopleNum=order.people_num,
            rowType=order.row_type,
            foodInfo=order.food_info,
            foodPrice=order.food_price,
            homestayPrice=order.homestay_price,
            marketHomestayPrice=order.market_homestay_price,
            homestayBusinessId=order.homestay_business_id,
            homestayUserId=order.homestay_user_id,
            liveStartDate=self._midnight(order.live_start_date),
            liveEndDate=self._midnight(order.live_end_date),
            livePeopleNum=order.live_people_num,
            tradeState=order.trade_state,
            tradeCode=order.shown_code or "",
            remark=order.remark,
            orderTotalPrice=order.order_total_price,
            foodTotalPrice=order.food_total_price,
            homestayTotalPrice=order.homestay_total_price,
            createTime=int(order.create_time.timestamp()),
            needFood=int(order.need_food),
        )

    def _date(self, seconds: int, field: str) -> date:
        try:
            return datetime.fromtimestamp(seconds, UTC).astimezone(self._zone).date()
        except (OverflowError, OSError, ValueError):
            raise InvalidInput("This is no instant in unix seconds.", field) from None

    def _midnight(self, day: date) -> int:
        return int(datetime.combine(day, time(), self._zone).timestamp())


def server(
    orders: Orders,
    closing: Closing,
    stays: Stays,
    *,
    zone: ZoneInfo,
    host: str,
    port: int,
    ping: rpc.Ping | None = None,
) -> rpc.Server:
    """Returns the service, not yet started; `ping` asks its database, for whoever asks after its health."""
    service = OrderService(orders, closing, stays, zone)

    def register(grpc_server: aio.Server) -> None:
        order_pb2_grpc.add_orderServicer_to_server(cast("order_pb2_grpc.orderServicer", service), grpc_server)

    return rpc.Server("pb.order", register, host=host, port=port, ping=ping)


def _positive(number: int, field: str) -> int:
    if number < 1:
        raise InvalidInput("A positive number is needed.", field)
    return number
