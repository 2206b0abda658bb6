"""Which places are free and which an order takes, before any database is touched."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import DatesUnavailable, InvalidInput
from domain.order.nights import MAX_CALENDAR, Place, allot, calendar, check_range, free_places, is_free, nights, wanted
from domain.order.pricing import Stay, capacity
from domain.order.states import SaleUnit
from tests.factories import SOON, create_homestay, create_stay

ROOM, PERSON = SaleUnit.ROOM, SaleUnit.PERSON
# More than any homestay of these tests holds: a place may be left from when it held more.
MOST: Final = 8
Held = dict[date, dict[int, bool]]


def night(number: int) -> date:
    return SOON + timedelta(days=number)


@dataclass(frozen=True)
class Home:
    """As much of a homestay as matters here."""

    sale_unit: SaleUnit
    people_num: int


def stay_of(home: Home, start: int, length: int, guests: int) -> Stay:
    """A stay that starts within the nights of these tests, for as many guests as the homestay can hold."""
    return Stay(1, night(start), night(start + length), guests % capacity(home) + 1)


homes: Final = st.builds(Home, st.sampled_from([PERSON, PERSON, ROOM]), st.integers(1, MOST))
wishes: Final = st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, MOST))
# Wholly taken, or by some guests, or by nobody.
held_nights: Final = st.one_of(
    st.just({0: True}), st.sets(st.integers(0, MOST - 1)).map(lambda places: dict.fromkeys(places, False))
)
held: Final = st.lists(held_nights, min_size=5, max_size=5).map(
    lambda each: {night(number): there for number, there in enumerate(each) if there}
)


def allotted(home: Home, stay: Stay, taken: Held) -> list[Place] | None:
    try:
        return allot(home, stay, taken)
    except DatesUnavailable:
        return None


@given(homes, wishes, held)
def test_an_order_gets_what_it_wants_of_each_night_the_lowest_first_and_nothing_that_is_taken(
    home: Home, wish: tuple[int, int, int], taken: Held
) -> None:
    stay = stay_of(home, *wish)
    places = allotted(home, stay, taken)
    assert is_free(home, stay, taken) is (places is not None)
    if places is None:
        return
    assert places == sorted(set(places))
    by_night = defaultdict(list)
    for place in places:
        assert place.whole is (home.sale_unit is ROOM)
        by_night[place.night].append(place.number)
    assert list(by_night) == list(nights(stay.start, stay.end))
    for each, numbers in by_night.items():
        assert len(numbers) == (1 if home.sale_unit is ROOM else stay.guests)
        there = set(taken.get(each, {}))
        assert not there & set(numbers)
        assert set(range(max(numbers))) <= set(numbers) | there
        assert max(numbers) < capacity(home)


@given(homes, wishes, held)
def test_a_refusal_names_the_nights_that_are_short_and_no_others(
    home: Home, wish: tuple[int, int, int], taken: Held
) -> None:
    stay = stay_of(home, *wish)
    short = [
        each
        for each in nights(stay.start, stay.end)
        if len(free_places(home, taken.get(each, {}))) < wanted(home, stay.guests)
    ]
    if short:
        with pytest.raises(DatesUnavailable) as refused:
            allot(home, stay, taken)
        assert refused.value.nights == short
    else:
        assert allot(home, stay, taken)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 5), homes, wishes), min_size=4, max_size=10))
def test_no_night_is_ever_oversold_however_orders_come_and_go_and_the_homestay_changes(
    steps: list[tuple[int, Home, tuple[int, int, int]]],
) -> None:
    orders: list[list[Place]] = []
    for leaves, home, wish in steps:
        if leaves < len(orders):
            del orders[leaves]
        before: Held = defaultdict(dict)
        for place in (place for places in orders for place in places):
            assert place.number not in before[place.night], "a place was sold twice"
            before[place.night][place.number] = place.whole
        stay = stay_of(home, *wish)
        places = allotted(home, stay, before)
        if places is None:
            continue
        orders.append(places)
        for each in nights(stay.start, stay.end):
            if home.sale_unit is ROOM:
                assert before[each] == {}, "a room was sold in which somebody has a place"
            else:
                assert not any(before[each].values()), "a place was sold in a room that somebody has"
                assert len(before[each]) + stay.guests <= capacity(home), "more guests than it holds"


@given(homes, wishes, wishes, held)
def test_two_orders_that_want_more_than_there_is_want_one_place_in_common(
    home: Home, one: tuple[int, int, int], other: tuple[int, int, int], taken: Held
) -> None:
    # So that the primary key decides between them: both saw the same, and neither saw the other.
    first, second = (allotted(home, stay_of(home, *wish), taken) for wish in (one, other))
    if first is None or second is None:
        return
    after: Held = defaultdict(dict, {each: dict(there) for each, there in taken.items()})
    for place in first:
        after[place.night][place.number] = place.whole
    assert is_free(home, stay_of(home, *other), after) or set(first) & set(second)


def test_a_room_is_free_only_while_nobody_has_a_place_in_it() -> None:
    room, places = create_homestay(sale_unit=ROOM), create_homestay(sale_unit=PERSON, people_num=4)
    assert free_places(room, {}) == [0]
    assert free_places(room, {0: True}) == free_places(room, {3: False}) == []
    assert free_places(places, {}) == [0, 1, 2, 3]
    assert free_places(places, {1: False}) == [0, 2, 3]
    assert free_places(places, {0: True}) == []


def test_guests_from_when_a_homestay_held_more_count_among_those_it_holds_now() -> None:
    smaller = create_homestay(sale_unit=PERSON, people_num=4)
    assert free_places(smaller, {4: False, 5: False}) == [0, 1]
    assert free_places(smaller, {0: False, 4: False, 5: False}) == [1]
    assert free_places(smaller, dict.fromkeys(range(2, 6), False)) == []
    assert free_places(smaller, dict.fromkeys(range(6), False)) == []


def test_a_refusal_names_every_night_that_is_short_and_shows_the_first_three() -> None:
    homestay = create_homestay()
    taken = {night(number): {0: True} for number in (0, 1, 3, 4)}
    with pytest.raises(DatesUnavailable) as refused:
        allot(homestay, create_stay(nights=5), taken)
    assert refused.value.nights == [night(0), night(1), night(3), night(4)]
    assert refused.value.field == ("liveStartDate",)
    assert refused.value.message == "Not enough places are free on 2026-06-01, 2026-06-02, 2026-06-04 and 1 more."
    with pytest.raises(DatesUnavailable, match=r"free on 2026-06-01\.$"):
        allot(homestay, create_stay(nights=1), taken)


@pytest.mark.parametrize(
    ("homestay", "left"),
    [
        ({"sale_unit": ROOM}, [0, 0, 1]),
        ({"sale_unit": PERSON, "people_num": 6}, [0, 5, 6]),
        ({"sale_unit": PERSON, "people_num": 6, "on_shelf": False}, [0, 0, 0]),
    ],
)
def test_a_calendar_counts_what_can_still_be_had(homestay: dict[str, Any], left: list[int]) -> None:
    shown = calendar(create_homestay(**homestay), night(0), night(3), {night(1): {0: False}}, today=night(1))
    assert shown == [(night(number), free) for number, free in enumerate(left)]


def test_a_calendar_has_at_least_a_night_and_at_most_three_months() -> None:
    check_range(night(0), night(1))
    check_range(night(0), night(MAX_CALENDAR))
    for end in (night(0), night(-1), night(MAX_CALENDAR + 1)):
        with pytest.raises(InvalidInput) as refused:
            check_range(night(0), end)
        assert refused.value.field == ("to",)
