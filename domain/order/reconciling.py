"""Payments whose message was lost: found by comparing what the payment service says with what our orders know.

A message that a payment changed is sent at least once, but by the payment service, which may be another than ours and
lose it. Where the service can list what changed, that list is read on from where the last run stopped. Where it can't,
as the existing one, our own orders are walked through that may have money coming.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from domain.clock import Clock
from domain.database import Database
from domain.errors import Failure
from domain.order import reconcile_repository as repository
from domain.order.ports import Payment, Payments
from domain.order.reconcile_repository import Standing
from domain.order.states import PaymentStatus, TradeState

log = structlog.get_logger(__name__)

# A change shows up in the list when its transaction commits, which is later than the moment that it bears.
OVERLAP: Final = timedelta(minutes=2)
# Where the first run of all begins. Not earlier: what the existing system has let lie for longer, people have looked
# after, and money must not go back of which they decided otherwise. After an outage it goes on from where it was.
FIRST_LOOK_BACK: Final = timedelta(days=1)
# Changes on a page, and pages in one run; the next run goes on.
PAGE: Final = 500
PAGES: Final = 20
# Orders asked about in one question, and questions in one run; the existing service answers of one order at a time.
QUESTION: Final = 100
QUESTIONS: Final = 10
# An order that closed longer ago than this is not asked about again, nor one that is younger than this asked about yet.
CLOSED_WITHIN: Final = timedelta(hours=1)
YOUNGEST: Final = timedelta(minutes=1)

_CHANGES_NOTE: Final = re.compile(r"changes (\d{1,11}) (\d{1,19}) (\d{1,11})")
_ORDERS_NOTE: Final = re.compile(r"orders (-1|0) (\d{1,14}) (\d{1,19})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to read on in the list of changes.

    Attributes:
        since: changes of this second and later ones.
        after_id: of that very second, only ids above this one.
        seen: the latest change that a run has come across.
    """

    since: datetime
    after_id: int
    seen: datetime

    def __str__(self) -> str:
        return f"changes {int(self.since.timestamp())} {self.after_id} {int(self.seen.timestamp())}"


@dataclass(frozen=True, slots=True)
class _Step:
    """Where to go on in the walk through our orders."""

    state: TradeState = TradeState.WAIT_PAY
    after: tuple[datetime, int] | None = None

    def __str__(self) -> str:
        if self.after is None:
            return f"orders {self.state.value} 0 0"
        close_at, order_id = self.after
        return f"orders {self.state.value} {(close_at - _EPOCH) // timedelta(milliseconds=1)} {order_id}"


class Reconciling:
    """Compares orders with payments, and settles those that differ.

    Args:
        database: where orders are.
        clock: the present.
        payments: the payment service.
        settle: brings an order to what its payments say.
    """

    def __init__(
        self, database: Database, clock: Clock, payments: Payments, settle: Callable[[str], Awaitable[Any]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._payments = payments
        self._settle = settle

    async def run(self, note: str) -> str:
        """Looks for payments whose message was lost since the last run, and settles their orders.

        Args:
            note: what the last run returned, which says how far it came; empty for the first.

        Raises:
            UpstreamUnavailable: the payment service can't be asked; the next run looks from the same place.
        """
        place = await self._follow(_read_place(note) or self._first_place())
        return str(place) if place is not None else str(await self._walk(_read_step(note)))

    def _first_place(self) -> _Place:
        since = self._clock.now().replace(microsecond=0) - FIRST_LOOK_BACK
        return _Place(since, 0, since)

    async def _follow(self, place: _Place) -> _Place | None:
        """Reads on in the list of changes. Returns where the next run is to; None where there is no such list."""
        known = place.seen
        for _ in range(PAGES):
            changes = await self._payments.changed(place.since, place.after_id, PAGE)
            if changes is None:
                return None
            if changes:
                strangers = await self._compare([change.payment for change in changes])
                for change in changes:
                    # Said once, though the end of the list is read again and again.
                    if change.payment.order_sn in strangers and change.changed_at > known:
                        log.error("money came for no order", sn=change.payment.order_sn, payment_sn=change.payment.sn)
                last = changes[-1]
                place = _Place(last.changed_at, last.id, max(place.seen, last.changed_at))
            if len(changes) < PAGE:
                # The end of the list, which may still fill up: it is read again.
                return _Place(place.seen - OVERLAP, 0, place.seen)
        return place

    async def _walk(self, step: _Step) -> _Step:
        """Asks about our orders that may have money coming. Returns where the next run is to go on."""
        await self._ask(await self._database.read(lambda connection: repository.refunds_due(connection, QUESTION)))
        for _ in range(QUESTIONS):
            step = await self._question(step)
            if step == _Step():
                break
        return step

    async def _question(self, step: _Step) -> _Step:
        """Asks one question of the walk, and returns the next one: the first, where this was the last."""
        since, until = self._clock.sql_now(ago=CLOSED_WITHIN), self._clock.sql_now(ago=YOUNGEST)
        found = await self._database.read(
            lambda connection: repository.waiting(
                connection, step.state, step.after, since=since, until=until, limit=QUESTION
            )
        )
        await self._ask([order.sn for order in found])
        if len(found) == QUESTION:
            return _Step(step.state, (found[-1].close_at, found[-1].id))
        return _Step(TradeState.CANCELLED) if step.state is TradeState.WAIT_PAY else _Step()

    async def _ask(self, sns: Sequence[str]) -> None:
        if sns:
            answers = await self._payments.of_orders(sns)
            await self._compare([payment for payments in answers.values() for payment in payments])

    async def _compare(self, payments: Sequence[Payment]) -> set[str]:
        """Settles the orders that know another thing of their money. Returns the sn's of those that do not exist.

        Raises:
            UpstreamUnavailable: of some the payment service could not be asked; the others are settled.
        """
        # Money that has not come, or never will, changes no order.
        telling = [one for one in payments if one.status in {PaymentStatus.SUCCESS, PaymentStatus.REFUNDED}]
        if not telling:
            return set()
        sns = {payment.order_sn for payment in telling}
        standings = await self._database.read(lambda connection: repository.standings(connection, sns))
        failure = None
        for sn in dict.fromkeys(payment.order_sn for payment in telling if _differs(standings, payment)):
            log.warning("an order differs from its payment; settling", sn=sn)
            try:
                await self._settle(sn)
            except Failure as error:
                failure = error
            except Exception:
                # One that can't be settled must not keep the others from their turn, in this run and the next ones.
                log.exception("could not settle", sn=sn)
        if failure is not None:
            raise failure
        return sns - standings.keys()


def _differs(standings: Mapping[str, Standing], payment: Payment) -> bool:
    """Whether an order does not know yet what this payment, paid or refunded, means for it."""
    order = standings.get(payment.order_sn)
    if order is None:
        return False
    went_back = order.refunds.get(payment.sn)
    paid_by_it = order.payment_sn in {"", payment.sn}
    if payment.status is PaymentStatus.REFUNDED:
        # Money that was to go back, or that of the stay itself.
        return went_back is False or (went_back is None and order.state is TradeState.WAIT_USE and paid_by_it)
    uses_it = paid_by_it and order.state not in {TradeState.WAIT_PAY, TradeState.CANCELLED}
    return went_back is None and not uses_it


def _read_place(note: str) -> _Place | None:
    match = _CHANGES_NOTE.fullmatch(note)
    if match is None:
        return None
    since, after_id, seen = map(int, match.groups())
    return _Place(datetime.fromtimestamp(since, UTC), after_id, datetime.fromtimestamp(seen, UTC))


def _read_step(note: str) -> _Step:
    match = _ORDERS_NOTE.fullmatch(note)
    if match is None:
        return _Step()
    state, milliseconds, order_id = map(int, match.groups())
    after = (_EPOCH + timedelta(milliseconds=milliseconds), order_id) if order_id else None
    return _Step(TradeState(state), after)
