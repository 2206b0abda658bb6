"""An order as it goes: how it stands now, then each change, until no change can come any more.

A watcher that is woken reads the row, which alone is true. What is told may be lost on its way from another process,
and the existing system tells nobody; so the states of all orders that are followed are looked at every few seconds,
too, in one statement. Nothing is kept for a follower who reads slowly: changes that come faster than they are read
arrive as one, the last. The order's history has each.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Final

import structlog

from domain.clock import Clock
from domain.database import Database
from domain.errors import DatabaseUnavailable, OrderNotFound, RateLimited
from domain.order import repository, states
from domain.order.models import Order
from domain.order.ports import Changes, Watch

log = structlog.get_logger(__name__)

# Orders that one guest may follow at once in one process: a few open tabs and devices.
MAX_FOLLOWED: Final = 20
# Seconds after which a change is seen that nobody told.
LOOK_EVERY: Final = 5.0
# Orders in one statement.
_BATCH: Final = 500


@dataclass(eq=False, slots=True)
class _Follower:
    sn: str
    watch: Watch
    seen: Order | None = None


class Following:
    """Lets guests follow their orders.

    Args:
        database: where orders are.
        clock: the present.
        changes: who wakes followers.
        look_every: seconds after which a change is seen that nobody told.
    """

    def __init__(self, database: Database, clock: Clock, changes: Changes, *, look_every: float = LOOK_EVERY) -> None:
        self._database = database
        self._clock = clock
        self._changes = changes
        self._look_every = look_every
        self._followers: set[_Follower] = set()
        self._guests: Counter[int] = Counter()
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, user_id: int, sn: str) -> AsyncGenerator[Order, None]:
        """The guest's order as it stands, and again after each change; ends when it can't change any more.

        Close it (`contextlib.aclosing`) when you leave early.

        Raises:
            OrderNotFound: the guest has no such order.
            RateLimited: the guest follows too many already.
            DatabaseUnavailable: it can't be read; later on, what can't be read is read again a little later.
        """
        with self._counted(user_id), self._followed(sn) as follower:
            while (order := await self._read(user_id, follower)) is not None:
                if order != follower.seen:
                    follower.seen = order
                    yield order
                if not states.MOVES[order.trade_state]:
                    return
                await follower.watch.changed()

    async def _read(self, user_id: int, follower: _Follower) -> Order | None:
        while True:
            try:
                order = await self._database.read(
                    lambda connection: repository.find(connection, follower.sn, user_id=user_id)
                )
            except DatabaseUnavailable:
                if follower.seen is None:
                    raise
                await asyncio.sleep(self._look_every)
                continue
            if order is None and follower.seen is None:
                raise OrderNotFound("There is no such order.", "sn")
            return order

    @contextmanager
    def _counted(self, user_id: int) -> Iterator[None]:
        if self._guests[user_id] >= MAX_FOLLOWED:
            raise RateLimited(f"At most {MAX_FOLLOWED} orders can be followed at once.", retry_after=1)
        self._guests[user_id] += 1
        try:
            yield
        finally:
            self._guests[user_id] -= 1
            if not self._guests[user_id]:
                del self._guests[user_id]

    @contextmanager
    def _followed(self, sn: str) -> Iterator[_Follower]:
        with self._changes.watch(sn) as watch:
            follower = _Follower(sn, watch)
            self._followers.add(follower)
            if self._looking is None or self._looking.done():
                # For all followers: it is no step of the one who came first, and not in that guest's name.
                self._looking = asyncio.create_task(self._look(), name="following", context=Context())
            try:
                yield follower
            finally:
                self._followers.discard(follower)
                if not self._followers and self._looking:
                    self._looking.cancel()
                    self._looking = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_every)
            followers = list(self._followers)
            sns = list({follower.sn for follower in followers})
            for start in range(0, len(sns), _BATCH):
                await self._look_at(sns[start : start + _BATCH], followers)

    async def _look_at(self, sns: list[str], followers: list[_Follower]) -> None:
        try:
            standing = await self._database.read(
                lambda connection: repository.standing(connection, sns, self._clock.sql_now())
            )
        except DatabaseUnavailable as error:
            log.warning("followed orders can't be looked at now", reason=error.reason)
            return
        asked = set(sns)
        for follower in followers:
            if follower.sn in asked and follower.seen is not None:
                state, *_ = standing.get(follower.sn, (None,))
                if state is not follower.seen.trade_state:
                    follower.watch.wake()

    def __len__(self) -> int:
        """How many followers there are."""
        return len(self._followers)
