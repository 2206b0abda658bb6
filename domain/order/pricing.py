"""Nights and prices: calendar dates and integers, nothing else. GraphQL and gRPC share these rules."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from domain import money
from domain.errors import HomestayOffShelf, InvalidInput, StayTooLong, TooManyGuests
from domain.money import Fen
from domain.order.ports import Homestay
from domain.order.states import SaleUnit

MAX_NIGHTS: Final = 90
HORIZON_YEARS: Final = 2
# The table's width for it (`remark varchar(64)`), in characters.
MAX_REMARK: Final = 64
# The table's `live_people_num tinyint`: what a signed byte holds.
MAX_PARTY: Final = 127


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
    capacity = min(homestay.people_num, MAX_PARTY)
    if stay.guests > capacity:
        raise TooManyGuests(f"This homestay holds {capacity} guests.", "livePeopleNum")
    sold = stay.guests if homestay.sale_unit is SaleUnit.PERSON else 1
    homestay_total = money.checked(homestay.price * sold * stay.nights)
    food_total = money.checked(homestay.food_price * stay.guests * stay.nights if stay.food else 0)
    money.checked(homestay_total + food_total)
    return Quote(nights=stay.nights, homestay_total=homestay_total, food_total=food_total)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date of an instant where the homestay stands."""
    return instant.astimezone(zone).date()
