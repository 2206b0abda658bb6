"""Writing a new order down: the order, its nights, its first step and its key, in one transaction or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.database import Database
from domain.errors import DatabaseBusy, KeyInProgress, NoConnectionFree, RateLimited
from domain.order import holding, numbers, placing_repository, repository
from domain.order.holding import Taking
from domain.order.idempotency import Idempotency, Key
from domain.order.models import WIDTHS, Order
from domain.order.nights import nights as nights_of
from domain.order.placing_repository import Arrivals
from domain.order.ports import Homestay
from domain.order.pricing import Offer, Rules, capacity
from domain.order.states import SaleUnit, TradeState
from domain.shared_question import SharedQuestion
from domain.together import COMMIT, NUMBERS, Together

log = structlog.get_logger(__name__)

# Each try that fails means that somebody else got a place, so a homestay of 127 places bounds them; a number drawn
# twice does not happen.
_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and whether an earlier request with the same key had made it."""

    order: Order
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    """An order that is to be placed, with all of its columns but the id and the instants."""

    user_id: int
    offer: Offer
    key: Key | None
    order: Mapping[str, Any]

    @property
    def sn(self) -> str:
        """The order's."""
        sn: str = self.order["sn"]
        return sn


class Placing:
    """Writes orders down, those of one turn of the loop in one transaction."""

    def __init__(self, database: Database, clock: Clock, rules: Rules, idempotency: Idempotency) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._idempotency = idempotency
        self._arrivals = Arrivals(clock, rules.pay_window)
        limit = rules.max_unpaid
        self._room = None if limit is None else placing_repository.room_for_one_more(limit)
        self._with_others: SharedQuestion[_Wish, Order | None] = SharedQuestion(self._write_several, max(NUMBERS))
        # SQLite has one writer, who is no trip away.
        self._is_shared = database.engine.dialect.name != "sqlite"

    async def place(self, user_id: int, offer: Offer, key: Key | None = None) -> Placed:
        """Writes an order down.

        Raises:
            DatesUnavailable: some nights have not enough free places.
            RateLimited: the guest has as many unpaid orders as one may have.
            KeyReused: the key stands for another request.
            KeyInProgress: the request with this key is still running.
        """

        async def work(together: Together) -> Order:
            (order,) = await self._write(together, [wish])
            return order

        for attempt in range(_ATTEMPTS):
            wish = self._wish(user_id, offer, key)
            try:
                if attempt == 0 and self._is_shared and offer.homestay.sale_unit is SaleUnit.ROOM:
                    order = await self._with_others.ask(wish)
                    if order is not None:
                        return Placed(order)
                return Placed(await self._database.write_together(work))
            except IntegrityError:
                # Somebody else was faster: with the same key, or at the same place; or the guest has enough. A repeat
                # is answered before anything is refused, also where that took the last free place.
                if (earlier := await self._earlier(user_id, key)) is not None:
                    return Placed(earlier, replayed=True)
                await self._database.read(lambda connection: self._check(connection, user_id, offer))
                log.debug("tries again to place an order", attempt=attempt)
            except NoConnectionFree:
                raise  # nothing was sent: it is not the key that others are at
            except DatabaseBusy as error:
                if key is not None:
                    raise KeyInProgress("The request with this key is still running.", "idempotencyKey") from error
                raise
        wish = self._wish(user_id, offer, key)
        return Placed(await self._database.write_together(work))

    async def _write_several(self, wishes: Sequence[_Wish]) -> list[Order | None]:
        """The order of each; None of each that is to be placed by itself: it would be refused, or those with it.

        What one of them is refused for, or waits for, must be nothing to the others. So where the database refuses
        anything, nothing of it all is there, and each is tried by itself, which also tells why.

        Raises:
            DatabaseUnavailable: the database can't be used, or has no connection free; whether all of it was committed
                or nothing is not known where it was lost meanwhile.
        """
        # Who comes alone is to be placed by itself, and has waited for nobody.
        taken = _strangers(wishes)
        if len(taken) < 2:  # noqa: PLR2004 -- several are two
            return [None] * len(wishes)
        try:
            orders = await self._database.write_together(lambda together: self._write(together, taken), 1)
        except NoConnectionFree:
            raise
        except (DatabaseBusy, UnicodeEncodeError):
            return [None] * len(wishes)
        except DBAPIError as error:
            if error.statement == COMMIT:
                raise
            return [None] * len(wishes)
        placed = {order.sn: order for order in orders}
        return [placed.get(wish.sn) for wish in wishes]

    async def _earlier(self, user_id: int, key: Key | None) -> Order | None:
        sn = await self._idempotency.find(key)
        if sn is None:
            return None
        return await self._database.read(lambda connection: repository.find(connection, sn, user_id=user_id))

    async def _write(self, together: Together, wishes: Sequence[_Wish]) -> list[Order]:
        """All at once: what must not be fails, and nobody waits for an answer with a lock in hand."""
        guests = [wish.user_id for wish in wishes]
        placing_repository.take_turns(together, guests)
        await self._idempotency.keep(together, [(wish.key, wish.sn) for wish in wishes])
        if self._room is not None:
            placing_repository.need_room(together, guests, self._room)
        await holding.take(together, [Taking(wish.offer.homestay, wish.offer.stay, wish.sn) for wish in wishes])
        made = self._arrivals.add(together, [wish.order for wish in wishes])
        await together.commit()
        given = {sn: (number, created, closes) for sn, number, created, closes in made.rows}
        orders = []
        for wish in wishes:
            number, created, closes = given[wish.sn]
            orders.append(Order(id=number, **wish.order, create_time=created, close_at=closes))
        return orders

    async def _check(self, connection: AsyncConnection, user_id: int, offer: Offer) -> None:
        """Refuses what can't be had by now."""
        now, count, first_closes_at = await placing_repository.unpaid(connection, user_id, self._clock)
        if (refusal := self._too_many_unpaid(count, first_closes_at, now)) is not None:
            raise refusal
        await holding.check(connection, offer.homestay, offer.stay)

    def _too_many_unpaid(self, count: int, first_closes_at: datetime | None, now: datetime) -> RateLimited | None:
        limit = self._rules.max_unpaid
        if limit is None or count < limit:
            return None
        # One of them is paid, given up or closed by then.
        wait = max(timedelta(seconds=1), (first_closes_at or now + self._rules.pay_window) - now)
        return RateLimited(
            f"At most {limit} orders may wait for their payment: pay one, or give one up.",
            retry_after=-(-wait // timedelta(seconds=1)),
        )

    def _wish(self, user_id: int, offer: Offer, key: Key | None) -> _Wish:
        order = {
            "sn": numbers.order_sn(self._clock.now(), self._rules.zone),
            "user_id": user_id,
            **_snapshot(offer.homestay),
            "live_start_date": offer.stay.start,
            "live_end_date": offer.stay.end,
            "live_people_num": offer.stay.guests,
            "need_food": offer.stay.food,
            "remark": offer.stay.remark,
            "homestay_total_price": offer.price.homestay_total,
            "food_total_price": offer.price.food_total,
            "order_total_price": offer.price.total,
            "trade_state": TradeState.WAIT_PAY,
            "trade_code": numbers.trade_code(),
            "close_reason": None,
        }
        return _Wish(user_id, offer, key, order)


def _strangers(wishes: Sequence[_Wish]) -> list[_Wish]:
    """Those that have nothing to do with one before them: no guest in common, and no night of a homestay."""
    guests, nights, strangers = set[int](), set[tuple[int, date]](), list[_Wish]()
    for wish in wishes:
        stay = wish.offer.stay
        wanted = {(stay.homestay_id, night) for night in nights_of(stay.start, stay.end)}
        if wish.user_id not in guests and nights.isdisjoint(wanted):
            guests.add(wish.user_id)
            nights |= wanted
            strangers.append(wish)
    return strangers


def _snapshot(homestay: Homestay) -> dict[str, Any]:
    """What an order keeps of its homestay: later changes there change nothing here."""
    texts = {
        "title": homestay.title,
        "sub_title": homestay.sub_title,
        # Half a URL shows nothing.
        "cover": homestay.cover if homestay.cover and len(homestay.cover) <= WIDTHS["cover"] else "",
        "info": homestay.info,
        "food_info": homestay.food_info,
    }
    return {
        "homestay_id": homestay.id,
        "homestay_business_id": homestay.business_id,
        "homestay_user_id": homestay.user_id,
        **{name: text[: WIDTHS[name]] for name, text in texts.items()},
        "people_num": capacity(homestay),
        "row_type": homestay.sale_unit,
        "homestay_price": homestay.price,
        "market_homestay_price": homestay.market_price,
        "food_price": homestay.food_price,
    }
