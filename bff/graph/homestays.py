"""What a homestay costs and when it is free, with others asked once for all that one request wants of it."""

from datetime import date

from bff.graph.types import HomestayNight, HomestayQuote, Info
from domain.errors import HomestayNotFound
from domain.order import nights, pricing
from domain.order.pricing import Stay


async def quote(info: Info, stay: Stay) -> HomestayQuote:
    """What a stay costs.

    Raises:
        Refusal: it can't be had.
        UpstreamUnavailable: the travel service can't be asked.
    """
    info.context.orders.check(stay)
    homestay = await info.context.loaders.homestay.load(stay.homestay_id)
    return HomestayQuote.of(pricing.offer(homestay, stay))


async def calendar(info: Info, homestay_id: int, start: date, end: date) -> list[HomestayNight]:
    """The free places of each night; `end` excluded.

    Raises:
        InvalidInput: nobody should ask for this range.
        HomestayNotFound: there is no such homestay.
        UpstreamUnavailable: the travel service can't be asked.
    """
    nights.check_range(start, end)
    loaders = info.context.loaders
    homestay = await loaders.homestay.load(homestay_id)
    if homestay is None:
        raise HomestayNotFound("There is no such homestay.", "homestayId")
    taken = await loaders.taken.load((homestay_id, start, end))
    left = nights.calendar(homestay, start, end, taken, today=info.context.orders.today)
    return [HomestayNight(night=night, places_left=places) for night, places in left]
