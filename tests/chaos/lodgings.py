"""A catalogue with room for many guests: the demo's six homestays would soon be sold out, night by night."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Lodging:
    """A homestay as the harness put it into the catalogue; prices in fen."""

    id: int
    capacity: int
    per_person: bool
    price: int
    food_price: int


def _lodging(number: int) -> Lodging:
    # Every fourth is sold bed by bed; no two have the same prices, so that a total tells whose it is.
    return Lodging(
        id=number,
        capacity=2 + number % 5,
        per_person=number % 4 == 0,
        price=100_00 + 13_07 * number,
        food_price=0 if number % 7 == 0 else 10_00 + 1_01 * number,
    )


LODGINGS: Final = tuple(_lodging(number) for number in range(1, 41))
# Where many want the same nights.
POPULAR: Final = LODGINGS[:4]

_INSERT: Final = sa.text("""
    insert into homestay (id, title, sub_title, banner, info, people_num, homestay_business_id, user_id, row_state,
                          row_type, food_info, food_price, homestay_price, market_homestay_price)
    values (:id, :title, '', '', '', :capacity, :business, :host, 1, :unit, '', :food_price, :price, :price)
""")


def stock(engine: sa.Engine, lodgings: Sequence[Lodging] = LODGINGS) -> None:
    """Puts the lodgings into an empty catalogue; the demo's homestays then stay out."""
    with engine.begin() as connection:
        for lodging in lodgings:
            connection.execute(
                _INSERT,
                {
                    "id": lodging.id,
                    "title": f"Lodging {lodging.id}",
                    "capacity": lodging.capacity,
                    "business": 1 + lodging.id % 3,
                    "host": 900 + lodging.id,
                    "unit": int(lodging.per_person),
                    "food_price": lodging.food_price,
                    "price": lodging.price,
                },
            )
