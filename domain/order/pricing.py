"""Nights and prices: calendar dates and integers, nothing else. GraphQL and gRPC share these rules."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain import money
from domain.errors import (
    ErrorCode,
    HomestayNotFound,
    HomestayOffShelf,
    InvalidInput,
    Refusal,
    StayTooLong,
    TooManyGuests,
)
from domain.money import Fen
from domain.order.ports import Homestay, Sold
from domain.order.states import SaleUnit

MAX_NIGHTS: Final = 90
HORIZON_YEARS: Final = 2
# The table's width for it (`remark varchar(64)`), in characters.
MAX_REMARK: Final = 64
# The table's `live_people_num tinyint`: what a signed byte holds.
MAX_PARTY: Final = 127


@dataclass(frozen=True, slots=True)
class Rules:
    """What an installation decides.

    Attributes:
        zone: where the homestays stand; it says which date is today.
        pay_window: how long an order waits for its payment.
        max_unpaid: how many orders of one guest may wait for their payment at once; None sets no limit.
    """

    zone: ZoneInfo
    pay_window: timedelta
    max_unpaid: int | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """What a guest asks for."""

    homestay_id: int
    start: date
    end: date
    guests: int
    food: bool = False
    remark: str = ""

    @property
    def nights(self) -> int:
        """Calendar nights; the day of leaving is not one."""
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Quote:
    """What a stay costs."""

    nights: int
    homestay_total: Fen
    food_total: Fen

    @property
    def total(self) -> Fen:
        """What the guest pays."""
        return Fen(self.homestay_total + self.food_total)


@dataclass(frozen=True, slots=True)
class Offer:
    """A stay that can be had, as far as its homestay goes, and its price."""

    stay: Stay
    homestay: Homestay
    price: Quote


class PriceChanged(Refusal):
    """The price is no longer the one that the client showed; `offer` is the one of now."""

    code = ErrorCode.PRICE_CHANGED

    def __init__(self, message: str, *field: str, offer: Offer) -> None:
        super().__init__(message, *field)
        self.offer = offer


def check_stay(stay: Stay, *, today: date) -> None:
    """Refuses what no homestay could offer.

    Args:
        stay: what is asked for.
        today: the date in the homestay's time zone.

    Raises:
        InvalidInput: a date, the party or the remark breaks a rule.
        StayTooLong: more than `MAX_NIGHTS` nights.
    """
    if stay.start < today:
        raise InvalidInput("The stay starts in the past.", "liveStartDate")
    if stay.nights < 1:
        raise InvalidInput("The stay has at least one night: leave after the day of arrival.", "liveEndDate")
    if stay.nights > MAX_NIGHTS:
        raise StayTooLong(f"One order has at most {MAX_NIGHTS} nights.", "liveEndDate")
    if stay.end > _horizon(today):
        raise InvalidInput("The stay ends more than two years ahead.", "liveEndDate")
    if stay.guests < 1:
        raise InvalidInput("At least one guest stays.", "livePeopleNum")
    if len(stay.remark) > MAX_REMARK:
        raise InvalidInput(f"A remark has at most {MAX_REMARK} characters.", "remark")
    if "\0" in stay.remark:
        raise InvalidInput("A remark has no NUL character.", "remark")


def _horizon(today: date) -> date:
    try:
        return today.replace(year=today.year + HORIZON_YEARS)
    except ValueError:  # 29 February, and none two years on
        return today.replace(year=today.year + HORIZON_YEARS, day=28)


def quote(homestay: Homestay, stay: Stay) -> Quote:
    """Prices a stay.

    Raises:
        HomestayOffShelf: the homestay is not on sale.
        TooManyGuests: it holds fewer guests.
        InvalidInput: the total is more money than can be counted exactly.
    """
    if not homestay.on_shelf:
        raise HomestayOffShelf("This homestay is not on sale.", "homestayId")
    if stay.guests > capacity(homestay):
        raise TooManyGuests(f"This homestay holds {capacity(homestay)} guests.", "livePeopleNum")
    sold = stay.guests if homestay.sale_unit is SaleUnit.PERSON else 1
    homestay_total = money.checked(homestay.price * sold * stay.nights)
    food_total = money.checked(homestay.food_price * stay.guests * stay.nights if stay.food else 0)
    money.checked(homestay_total + food_total)
    return Quote(nights=stay.nights, homestay_total=homestay_total, food_total=food_total)


def offer(homestay: Homestay | None, stay: Stay, *, expected: int | None = None) -> Offer:
    """What a homestay, where there is one, offers for a stay.

    Args:
        homestay: as the travel service tells it now; None where it knows none.
        stay: what is asked for.
        expected: the total that the guest was shown, in fen; None where none was.

    Raises:
        HomestayNotFound: there is none.
        HomestayOffShelf: it is not on sale.
        TooManyGuests: it holds fewer guests.
        InvalidInput: the total is more money than can be counted exactly.
        PriceChanged: the total is not the expected one.
    """
    if homestay is None:
        raise HomestayNotFound("There is no such homestay.", "homestayId")
    offered = Offer(stay, homestay, quote(homestay, stay))
    if expected is not None and expected != offered.price.total:
        raise PriceChanged("The price has changed.", "expectedTotalMinor", offer=offered)
    return offered


def capacity(sold: Sold) -> int:
    """How many guests a homestay holds at once."""
    return min(sold.people_num, MAX_PARTY)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date of an instant where the homestay stands."""
    return instant.astimezone(zone).date()
