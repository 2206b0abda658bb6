"""The travel service as orders see it: gRPC, a deadline on every call, answers checked before use."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from grpc import aio

from domain import money, rpc
from domain.errors import InvalidInput, UpstreamUnavailable
from domain.gathered import Gathered
from domain.order.ports import Found, Homestay
from domain.order.states import SaleUnit
from domain.order.upstreams import READ_DEADLINE, nonsense
from proto import travel_pb2, travel_pb2_grpc

# Methods that change nothing.
READS: Final = ("pb.travel/homestayDetail", "pb.travel/homestayDetails")
# Homestays in one call, which are all that the service allows.
_MOST: Final = 100
# Calls under way at once where the service has to be asked one by one.
_AT_ONCE: Final = 16
# Seconds after which a service that lacks the batch method is asked for it again: it may be a newer one by then.
_ASK_AGAIN: Final = 60.0

_TRAVEL: Final = "travel"
_ON_SHELF: Final = 1


class TravelClient:
    """`domain.order.ports.Travel` over gRPC."""

    def __init__(self, channel: aio.Channel) -> None:
        self._travel = travel_pb2_grpc.travelStub(channel)
        self._guard = rpc.guard(_TRAVEL, channel)
        self._one_by_one_until = 0.0
        self._homestay = Gathered(
            _TRAVEL,
            self._alone,
            self._together,
            knows_several=self._may_know_several,
            most=_MOST,
            limit=READ_DEADLINE,
        )

    def homestay(self, homestay_id: int) -> Awaitable[Homestay | None]:
        """The homestay, or None: said by NOT_FOUND, or as the existing service does by an empty one.

        It is asked for together with what others want to know at the same time, and always after it was wanted.

        Raises:
            UpstreamUnavailable: it could not be asked in time, or its answer makes no sense.
        """
        return self._homestay.ask(homestay_id)

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        """Several homestays, in one call where the service knows how."""
        if len(homestay_ids) > 1 and self._may_know_several():
            try:
                return await self._together(homestay_ids)
            except rpc.Unimplemented:
                pass
            except UpstreamUnavailable as error:
                return dict.fromkeys(homestay_ids, error)
        places = asyncio.Semaphore(_AT_ONCE)
        found = await asyncio.gather(*(self._one(each, places) for each in homestay_ids))
        return dict(zip(homestay_ids, found, strict=True))

    async def _alone(self, homestay_id: int) -> Homestay | None:
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

    def _may_know_several(self) -> bool:
        return asyncio.get_running_loop().time() >= self._one_by_one_until

    async def _together(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        try:
            answer = await rpc.ask(
                self._guard,
                self._travel.homestayDetails,
                travel_pb2.HomestayDetailsReq(ids=homestay_ids),
                deadline=READ_DEADLINE,
            )
        except rpc.Unimplemented:
            self._one_by_one_until = asyncio.get_running_loop().time() + _ASK_AGAIN
            raise
        found: dict[int, Found] = dict.fromkeys(homestay_ids)
        for homestay in answer.homestays if answer else ():
            if homestay.id not in found:
                return dict.fromkeys(homestay_ids, nonsense(_TRAVEL, homestay))
            try:
                if found[homestay.id] is not None:
                    raise nonsense(_TRAVEL, homestay)
                found[homestay.id] = _homestay(homestay)
            except UpstreamUnavailable as error:
                found[homestay.id] = error
        return found

    async def _one(self, homestay_id: int, places: asyncio.Semaphore) -> Found:
        async with places:
            try:
                return await self._alone(homestay_id)
            except UpstreamUnavailable as error:
                return error


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
