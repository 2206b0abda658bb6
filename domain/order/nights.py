"""Which places of a homestay are free on a night, and which an order takes. Pure: no table, no time.

A homestay that is sold by room has one place. One that is sold per person has as many as it holds guests; whoever comes
takes the lowest that are free. So two orders that want more than there is always want at least one place in common, and
the table's primary key lets only one of them have it. `holding` sees to it that this is so too while a host changes how
a homestay is sold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from domain.errors import DatesUnavailable, InvalidInput
from domain.order.ports import Homestay, Sold
from domain.order.pricing import Stay, capacity
from domain.order.states import SaleUnit

# Three months, and a page of a client's calendar is one.
MAX_CALENDAR: Final = 92

# Of each night the places that are taken, and whether each stands for the whole room.
Taken = Mapping[date, Mapping[int, bool]]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place on a night."""

    night: date
    number: int
    whole: bool = False


def nights(start: date, end: date) -> Iterator[date]:
    """The nights from the day of arrival to the day of leaving, which is none."""
    for offset in range((end - start).days):
        yield start + timedelta(days=offset)


def free_places(sold: Sold, taken: Mapping[int, bool]) -> Sequence[int]:
    """The places of a night that are free, the lowest first."""
    if sold.sale_unit is SaleUnit.ROOM:
        return [] if taken else [0]
    if any(taken.values()):
        return []  # an order from when the homestay was sold by room holds all of it
    # Guests from when the homestay held more may have places beyond today's last one. They count like the others.
    left = max(0, capacity(sold) - len(taken))
    return [place for place in range(capacity(sold)) if place not in taken][:left]


def wanted(sold: Sold, guests: int) -> int:
    """How many places of each night a party takes."""
    return 1 if sold.sale_unit is SaleUnit.ROOM else guests


def allot(sold: Sold, stay: Stay, taken: Taken) -> list[Place]:
    """The places that a stay takes, in the order in which all take them: so two never wait for each other.

    Raises:
        DatesUnavailable: some nights have not enough.
    """
    count, places, missing = wanted(sold, stay.guests), [], []
    for night in nights(stay.start, stay.end):
        free = free_places(sold, taken.get(night, {}))
        if len(free) < count:
            missing.append(night)
        places += [Place(night, number, sold.sale_unit is SaleUnit.ROOM) for number in free[:count]]
    if missing:
        raise unavailable(missing)
    return places


def unavailable(taken: Sequence[date]) -> DatesUnavailable:
    """The refusal that names these nights."""
    named = ", ".join(night.isoformat() for night in taken[:3])
    more = f" and {len(taken) - 3} more" if len(taken) > 3 else ""  # noqa: PLR2004 -- three are a sentence, more a list
    return DatesUnavailable(f"Not enough places are free on {named}{more}.", "liveStartDate", nights=taken)


def is_free(sold: Sold, stay: Stay, taken: Taken) -> bool:
    """Whether every night of a stay has enough free places."""
    count = wanted(sold, stay.guests)
    return all(len(free_places(sold, taken.get(night, {}))) >= count for night in nights(stay.start, stay.end))


def calendar(homestay: Homestay, start: date, end: date, taken: Taken, *, today: date) -> list[tuple[date, int]]:
    """The free places of each night; `end` excluded.

    A night that is over has none, and neither has any of a homestay that is not on sale.
    """
    return [
        (night, len(free_places(homestay, taken.get(night, {}))) if homestay.on_shelf and night >= today else 0)
        for night in nights(start, end)
    ]


def check_range(start: date, end: date) -> None:
    """Refuses a range of nights that nobody should ask for.

    Raises:
        InvalidInput: it has none, or more than `MAX_CALENDAR`.
    """
    if end <= start:
        raise InvalidInput("The range has at least one night: `to` is after `from`.", "to")
    if (end - start).days > MAX_CALENDAR:
        raise InvalidInput(f"A calendar shows at most {MAX_CALENDAR} nights.", "to")
