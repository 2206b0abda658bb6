"""Settlements: what each homestay business earned by the stays that ended in a month, written once when it is over.

A stay counts where its guest came, and where a guest who had paid never came: that money is kept. It belongs to the
month of its day of leaving.
"""

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock, database_now
from domain.database import Database
from domain.order import settlement_repository as repository
from domain.order.pricing import local_date
from domain.order.settlement_repository import Earnings, Settlement

log = structlog.get_logger(__name__)

# Months before this one that are settled where nobody remembers having done so. An order is placed two years ahead at
# most, and two years of accounts is what an installation that takes over another's orders wants to see; what lies
# before has been settled by whoever ran it then. A bound at all, because each month costs a statement.
LOOK_BACK: Final = 24
_LONGEST_MONTH: Final = timedelta(days=31)


class Settlements:
    """The settlements of one database.

    Args:
        database: where orders and settlements are.
        clock: the present.
        zone: where the homestays stand; it says when a month is over.
    """

    def __init__(self, database: Database, clock: Clock, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    async def of(self, month: date, business_id: int | None = None) -> list[Settlement]:
        """The settlements of a month, of all businesses or of one, by their numbers.

        Args:
            month: any day of it.
            business_id: only this business.
        """
        first = first_day(month)
        return await self._database.read(lambda connection: repository.find(connection, first, business_id))

    async def settle(self, settled: date | None = None) -> date | None:
        """Settles all months that are over, for each business of which no stay of the month is still undecided.

        Repeats change nothing. A settlement that is written is never changed.

        Args:
            settled: a month up to which all is settled, as the last run returned it; it is not looked at again.

        Returns:
            The month up to which all is settled now; None where not even the first that was looked at is.
        """
        now = await self._database.read(lambda connection: database_now(connection, self._clock))
        current = first_day(local_date(now, self._zone))
        month, unbroken = _months_before(current, LOOK_BACK), True
        if settled is not None:
            month = max(month, month_after(settled))
        while month < current:
            unbroken = await self._settle(month) and unbroken
            if unbroken:
                settled = month
            month = month_after(month)
        return settled

    async def _settle(self, month: date) -> bool:
        """Settles a month that is over. Returns whether nothing of it is left to settle."""

        async def work(connection: AsyncConnection) -> tuple[list[Earnings], list[Earnings]]:
            earnings = await repository.earnings(connection, month, month_after(month))
            settled = await repository.settled(connection, month)
            found = [each for each in earnings if each.business_id not in settled]
            ready = [each for each in found if each.open == 0 and _adds_up(each)]
            if ready:
                await repository.add(connection, month, ready, self._clock.sql_now())
            return found, ready

        try:
            found, ready = await self._database.write(work)
        except IntegrityError:
            log.warning("somebody else settles the same month", month=f"{month:%Y-%m}")
            return False
        if ready:
            log.info("month settled", month=f"{month:%Y-%m}", businesses=len(ready), left=len(found) - len(ready))
        for each in found:
            if not _adds_up(each):
                log.error("orders do not add up; not settled", month=f"{month:%Y-%m}", business_id=each.business_id)
        return len(ready) == len(found)


def first_day(month: date) -> date:
    """The first day of the month in which a day lies."""
    return month.replace(day=1)


def month_after(month: date) -> date:
    """The first day of the month that follows."""
    return first_day(first_day(month) + _LONGEST_MONTH)


def _months_before(month: date, count: int) -> date:
    years, index = divmod(month.year * 12 + month.month - 1 - count, 12)
    return date(years, index + 1, 1)


def _adds_up(earnings: Earnings) -> bool:
    """Whether what guests paid is what their orders say for the stay and for food: else people must look first."""
    return earnings.paid == earnings.homestay_total + earnings.food_total
