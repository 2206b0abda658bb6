"""Writing a new order down: the order, its nights, its first step and its key, in one transaction or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.database import Database
from domain.errors import DatabaseBusy, KeyInProgress, NoConnectionFree, RateLimited
from domain.order import holding, numbers, placing_repository, repository
from domain.order.idempotency import Idempotency, Key
from domain.order.models import WIDTHS, Order
from domain.order.placing_repository import Arrivals
from domain.order.ports import Homestay
from domain.order.pricing import Offer, Rules, capacity
from domain.order.states import TradeState
from domain.together import Together

log = structlog.get_logger(__name__)

# Each try that fails means that somebody else got a place, so a homestay of 127 places bounds them; a number drawn
# twice does not happen.
_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and whether an earlier request with the same key had made it."""

    order: Order
    replayed: bool = False


class Placing:
    """Writes orders down."""

    def __init__(self, database: Database, clock: Clock, rules: Rules, idempotency: Idempotency) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._idempotency = idempotency
        self._arrivals = Arrivals(clock, rules.pay_window)
        limit = rules.max_unpaid
        self._room = None if limit is None else placing_repository.room_for_one_more(limit)

    async def place(self, user_id: int, offer: Offer, key: Key | None = None) -> Placed:
        """Writes an order down.

        Raises:
            DatesUnavailable: some nights have not enough free places.
            RateLimited: the guest has as many unpaid orders as one may have.
            KeyReused: the key stands for another request.
            KeyInProgress: the request with this key is still running.
        """

        async def work(together: Together) -> Order:
            return await self._write(together, user_id, offer, key)

        for attempt in range(_ATTEMPTS):
            try:
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
        return Placed(await self._database.write_together(work))

    async def _earlier(self, user_id: int, key: Key | None) -> Order | None:
        sn = await self._idempotency.find(key)
        if sn is None:
            return None
        return await self._database.read(lambda connection: repository.find(connection, sn, user_id=user_id))

    async def _write(self, together: Together, user_id: int, offer: Offer, key: Key | None) -> Order:
        """All at once: what must not be fails, and nobody waits for an answer with a lock in hand."""
        values = self._values(user_id, offer)
        placing_repository.take_turn(together, user_id)
        await self._idempotency.keep(together, key, values["sn"])
        if self._room is not None:
            placing_repository.need_room(together, user_id, self._room)
        await holding.take(together, offer.homestay, offer.stay, values["sn"])
        order, times = self._arrivals.add(together, values)
        await together.commit()
        ((created, closes),) = times.rows
        return Order(id=order.number, **values, create_time=created, close_at=closes)

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

    def _values(self, user_id: int, offer: Offer) -> Mapping[str, Any]:
        return {
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
