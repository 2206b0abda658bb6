"""Nights of orders that somebody else wrote: the existing system knows none, and may go on writing into the same table.

Its orders take theirs all or none, the oldest order first, beside those of ours; its closed orders give theirs up. Any
number may run, at any time, and again: what is done is not done twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.database import Database
from domain.errors import DatesUnavailable
from domain.order import night_repository, nights
from domain.order.nights import Place
from domain.order.pricing import MAX_PARTY, Stay, local_date
from domain.order.states import SaleUnit

log = structlog.get_logger(__name__)

# Orders in one transaction. Guests who want the same nights meanwhile wait for it.
BATCH: Final = 100
# Orders without nights that one run of a job looks at: a few seconds' work.
PIECE: Final = 1000
# Times that one order is tried while guests keep taking places beside it.
_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class Conflict:
    """An order without nights, because others have `nights` of its stay."""

    sn: str
    homestay_id: int
    nights: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a run came to.

    Attributes:
        adopted: orders that took their nights.
        freed: closed orders that gave theirs up.
        conflicts: orders that found nights taken.
        after: where the next run goes on; 0 where this one came through.
    """

    adopted: int = 0
    freed: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    after: int = 0


@dataclass(frozen=True, slots=True)
class _Order:
    """An order without nights; `domain.order.ports.Sold` as it was sold."""

    id: int
    sn: str
    sale_unit: SaleUnit
    people_num: int
    stay: Stay

    @classmethod
    def of(cls, row: Row[Any], today: date) -> Self:
        """Reads a row whose numbers nobody has checked: it counts for one guest at least, for a full house at most."""
        people_num = min(max(1, row.people_num), MAX_PARTY)
        guests = min(max(1, row.live_people_num), people_num)
        return cls(
            id=row.id,
            sn=row.sn,
            sale_unit=SaleUnit.PERSON if row.row_type == SaleUnit.PERSON else SaleUnit.ROOM,
            people_num=people_num,
            stay=Stay(row.homestay_id, max(row.live_start_date, today), row.live_end_date, guests),
        )


# How many orders took their nights, and which could not.
_Taken = tuple[int, list[Conflict]]


class _Overtaken(Exception):
    """Others took places meanwhile, beside those that were to be taken."""


class Adoption:
    """Takes over the nights of one database.

    Args:
        database: where orders are.
        clock: the present.
        zone: where the homestays stand; it says which nights are over.
    """

    def __init__(self, database: Database, clock: Clock, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    async def run(
        self, *, after: int = 0, at_most: int | None = None, watch: Callable[[Adopted], None] | None = None
    ) -> Adopted:
        """Frees what closed orders hold, and takes what open ones lack.

        Args:
            after: where an earlier run stopped.
            at_most: how many orders without nights are looked at; None looks at all.
            watch: is told after each transaction how far it is.
        """
        today = local_date(self._clock.now(), self._zone)
        done = Adopted(freed=await self._free(today), after=after)
        left = at_most
        while left is None or left > 0:
            wanted = BATCH if left is None else min(BATCH, left)
            orders = await self._homeless(today, done.after, wanted)
            adopted, conflicts = await self._take(orders) if orders else (0, [])
            done = Adopted(
                adopted=done.adopted + adopted,
                freed=done.freed,
                conflicts=[*done.conflicts, *conflicts],
                after=orders[-1].id if len(orders) == wanted else 0,
            )
            if watch is not None:
                watch(done)
            if not done.after:
                break
            left = None if left is None else left - wanted
        if done.adopted or done.freed:
            log.info("nights taken over", adopted=done.adopted, freed=done.freed, conflicts=len(done.conflicts))
        return done

    async def end(self) -> int:
        """Where a run that looks at all orders comes to its end: `Adopted.after` grows towards it."""
        return await self._database.read(night_repository.newest)

    async def go_on(self, note: str) -> str:
        """Runs a bounded piece, as a periodic job does; returns the note by which the next piece goes on."""
        done = await self.run(after=int(note) if note.isdecimal() else 0, at_most=PIECE)
        return str(done.after)

    async def _free(self, today: date) -> int:
        freed = 0
        while True:
            sns = await self._database.read(lambda connection: night_repository.forsaken(connection, today, BATCH))
            if not sns:
                return freed
            await self._database.write(lambda connection, sns=sns: night_repository.free(connection, sns))  # type: ignore[misc]
            freed += len(sns)

    async def _homeless(self, today: date, after: int, limit: int) -> list[_Order]:
        rows = await self._database.read(lambda connection: night_repository.homeless(connection, today, after, limit))
        return [_Order.of(row, today) for row in rows]

    async def _take(self, orders: Sequence[_Order]) -> _Taken:
        """Takes the nights of these orders in one transaction, of each all or none."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write(lambda connection: _write(connection, orders))
            except (IntegrityError, _Overtaken):
                if len(orders) > 1:
                    # One that is in somebody's way must not keep the others from theirs.
                    each = [await self._take([order]) for order in orders]
                    return sum(adopted for adopted, _ in each), [one for _, conflicts in each for one in conflicts]
        return await self._database.write(lambda connection: _write(connection, orders))


async def _write(connection: AsyncConnection, orders: Sequence[_Order]) -> _Taken:
    homeless = await night_repository.still_homeless(connection, [order.sn for order in orders])
    ranges = [(order.stay.homestay_id, order.stay.start, order.stay.end) for order in orders]
    seen = await night_repository.taken_of(connection, ranges, lasting=True)
    taken = {id_: {night: dict(there) for night, there in found.items()} for id_, found in seen.items()}
    places: list[tuple[int, Place, str]] = []
    adopted, conflicts = 0, []
    for order in orders:
        if order.sn not in homeless:
            continue
        homestay_id, there = order.stay.homestay_id, taken[order.stay.homestay_id]
        try:
            mine = nights.allot(order, order.stay, there)
        except DatesUnavailable as refused:
            conflicts.append(Conflict(order.sn, homestay_id, tuple(refused.nights)))
            continue
        for place in mine:
            there.setdefault(place.night, {})[place.number] = place.whole
        places += [(homestay_id, place, order.sn) for place in mine]
        adopted += 1
    if places:
        await night_repository.hold_all(connection, sorted(places))
        # As whoever takes a room does: looks once more, now that nobody can come any more.
        if await night_repository.taken_of(connection, ranges) != taken:
            raise _Overtaken
    return adopted, conflicts
