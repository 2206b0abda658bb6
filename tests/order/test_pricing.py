"""Nights and prices, before any database is touched."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import HomestayOffShelf, InvalidInput, TooManyGuests
from domain.money import MAX_FEN
from domain.order.pricing import Quote, quote
from domain.order.states import SaleUnit
from tests.factories import create_homestay, create_stay

ROOM, PERSON = SaleUnit.ROOM, SaleUnit.PERSON


@pytest.mark.parametrize(
    ("unit", "food", "homestay_total", "food_total"),
    [
        (ROOM, False, 29_900 * 2, 0),
        (ROOM, True, 29_900 * 2, 3_000 * 3 * 2),
        (PERSON, False, 29_900 * 3 * 2, 0),
        (PERSON, True, 29_900 * 3 * 2, 3_000 * 3 * 2),
    ],
)
def test_a_room_costs_by_the_night_and_a_place_by_the_guest_too(
    unit: SaleUnit, *, food: bool, homestay_total: int, food_total: int
) -> None:
    price = quote(create_homestay(sale_unit=unit), create_stay(nights=2, guests=3, food=food))
    assert (price.nights, price.homestay_total, price.food_total) == (2, homestay_total, food_total)
    assert price.total == homestay_total + food_total


@pytest.mark.parametrize("unit", SaleUnit)
def test_a_lone_guest_pays_the_same_for_a_room_and_for_a_place(unit: SaleUnit) -> None:
    assert quote(create_homestay(sale_unit=unit), create_stay(nights=1, guests=1)).total == 29_900


def test_a_clock_that_changes_shortens_no_night() -> None:
    # Clocks go forward in New York on 8 March 2026 and back on 1 November.
    for day in (date(2026, 3, 7), date(2026, 3, 8), date(2026, 10, 31), date(2026, 11, 1)):
        assert quote(create_homestay(), create_stay(start=day, nights=1)).nights == 1


def test_a_homestay_off_the_shelf_has_no_price() -> None:
    with pytest.raises(HomestayOffShelf) as refusal:
        quote(create_homestay(on_shelf=False), create_stay())
    assert refusal.value.field == ("homestayId",)


@pytest.mark.parametrize("unit", SaleUnit)
def test_a_homestay_holds_as_many_guests_as_it_says_and_not_one_more(unit: SaleUnit) -> None:
    homestay = create_homestay(people_num=4, sale_unit=unit)
    quote(homestay, create_stay(guests=4))
    for guests in (5, 128, 2**31):
        with pytest.raises(TooManyGuests) as refusal:
            quote(homestay, create_stay(guests=guests))
        assert refusal.value.field == ("livePeopleNum",)


def test_no_party_is_larger_than_the_table_can_hold() -> None:
    homestay = create_homestay(people_num=2**31)
    quote(homestay, create_stay(guests=127))
    with pytest.raises(TooManyGuests, match="127"):
        quote(homestay, create_stay(guests=128))


@pytest.mark.parametrize("people_num", [0, -4])
def test_a_homestay_that_holds_nobody_has_no_price(people_num: int) -> None:
    with pytest.raises(TooManyGuests):
        quote(create_homestay(people_num=people_num), create_stay(guests=1))


def test_the_largest_amount_is_exact_and_one_more_is_refused() -> None:
    stay = create_stay(nights=1, guests=1, food=True)
    price = quote(create_homestay(price=MAX_FEN - 1, food_price=1), stay)
    assert price == Quote(nights=1, homestay_total=MAX_FEN - 1, food_total=1)  # type: ignore[arg-type]
    assert price.total == MAX_FEN
    with pytest.raises(InvalidInput):
        quote(create_homestay(price=MAX_FEN, food_price=1), stay)


# Most of them near the edge of what is exact, some far beyond 64 bits.
prices = st.one_of(
    st.integers(0, 10**6),
    st.integers(0, MAX_FEN),
    st.integers(2**53 - 200, 2**53 + 200),
    st.sampled_from([2**63 - 1, 2**63, 2**64 // 90, 10**30]),
).map(lambda fen: max(0, fen))


@given(
    price=prices,
    food_price=prices,
    nights=st.integers(1, 90),
    guests=st.integers(1, 127),
    food=st.booleans(),
    unit=st.sampled_from(SaleUnit),
)
def test_a_total_is_right_to_the_fen_or_refused(
    *, price: int, food_price: int, nights: int, guests: int, food: bool, unit: SaleUnit
) -> None:
    homestay = create_homestay(price=price, food_price=food_price, sale_unit=unit, people_num=127)
    stay = create_stay(nights=nights, guests=guests, food=food)
    right = sum(price * (guests if unit is PERSON else 1) for _ in range(nights))
    right += sum(food_price * guests for _ in range(nights)) if food else 0
    if right > MAX_FEN:
        with pytest.raises(InvalidInput):
            quote(homestay, stay)
    else:
        total = quote(homestay, stay).total
        assert (total, type(total)) == (right, int)
        assert float(total) == total


def test_a_stay_counts_calendar_nights() -> None:
    stay = create_stay(start=date(2028, 2, 28), end=date(2028, 3, 1))
    assert stay.nights == 2
    assert create_stay(start=date(2026, 6, 1), end=date(2026, 6, 1) + timedelta(days=90)).nights == 90
