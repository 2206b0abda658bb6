"""Values of every kind, valid unless a test says otherwise: it names only what matters to it."""

from datetime import date, timedelta
from typing import Any, Final

from polyfactory.factories import DataclassFactory

from domain.order.ports import Homestay
from domain.order.pricing import Stay
from domain.order.states import SaleUnit

# A day of the frozen clock's near future.
SOON: Final = date(2026, 6, 1)


class HomestayFactory(DataclassFactory[Homestay]):
    """Homestay 1 of the demo catalogue, as far as its price goes."""

    id = 1
    title = "Courtyard House"
    sub_title = "Two steps from the Drum Tower"
    banner = ("https://example.com/cover.jpg", "https://example.com/yard.jpg")
    info = "A quiet yard."
    people_num = 4
    on_shelf = True
    sale_unit = SaleUnit.ROOM
    food_info = "Breakfast and dinner."
    food_price = 3000
    price = 29900
    market_price = 39900
    business_id = 11
    user_id = 12


class StayFactory(DataclassFactory[Stay]):
    """Two nights for two."""

    homestay_id = 1
    start = SOON
    guests = 2
    food = False
    remark = ""


def create_homestay(**named: Any) -> Homestay:
    return HomestayFactory.build(**named)


def create_stays(count: int) -> list[Stay]:
    """As many stays as wanted of which none has a night in common with another."""
    return [create_stay(start=SOON + timedelta(days=number), nights=1) for number in range(count)]


def create_stay(*, nights: int = 2, **named: Any) -> Stay:
    start = named.pop("start", SOON)
    return StayFactory.build(start=start, end=named.pop("end", start + timedelta(days=nights)), **named)
