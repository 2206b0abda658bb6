"""The travel service as orders see it: gRPC, a deadline on every call, answers checked before use."""

from typing import Final

from grpc import aio

from domain import money, rpc
from domain.errors import InvalidInput
from domain.order.ports import Homestay
from domain.order.states import SaleUnit
from domain.order.upstreams import READ_DEADLINE, nonsense
from proto import travel_pb2, travel_pb2_grpc

# Methods that change nothing.
READS: Final = ("pb.travel/homestayDetail",)

_TRAVEL: Final = "travel"
_ON_SHELF: Final = 1


class TravelClient:
    """`domain.order.ports.Travel` over gRPC."""

    def __init__(self, channel: aio.Channel) -> None:
        self._travel = travel_pb2_grpc.travelStub(channel)
        self._guard = rpc.guard(_TRAVEL, channel)

    async def homestay(self, homestay_id: int) -> Homestay | None:
        """The homestay, or None: said by NOT_FOUND, or as the existing service does by an empty one.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        answer = await rpc.ask(
            self._guard,
            self._travel.homestayDetail,
            travel_pb2.HomestayDetailReq(id=homestay_id),
            deadline=READ_DEADLINE,
        )
        if answer is None or answer.homestay.id == 0:
            return None
        if answer.homestay.id != homestay_id:
            raise nonsense(_TRAVEL, answer)
        return _homestay(answer.homestay)


def _homestay(answer: travel_pb2.Homestay) -> Homestay:
    try:
        return Homestay(
            id=answer.id,
            title=answer.title,
            sub_title=answer.subTitle,
            banner=tuple(url for part in answer.banner.split(",") if (url := part.strip())),
            info=answer.info,
            people_num=answer.peopleNum,
            business_id=answer.homestayBusinessId,
            user_id=answer.userId,
            on_shelf=answer.rowState == _ON_SHELF,
            sale_unit=SaleUnit(answer.rowType),
            food_info=answer.foodInfo,
            food_price=money.checked(answer.foodPrice),
            price=money.checked(answer.homestayPrice),
            market_price=money.checked(answer.marketHomestayPrice),
        )
    except (ValueError, InvalidInput) as error:
        raise nonsense(_TRAVEL, answer) from error
