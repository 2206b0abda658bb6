"""What one can do with letters: take those that are due, say what became of each, and look after the dead ones."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock, database_now
from domain.database import Database
from domain.outbox import repository
from domain.outbox.models import DeadLetter, Letter, LetterState, Overview

# How long a letter is its holder's. Above what a delivery may take; a holder that died costs this much delay.
LEASE: Final = timedelta(seconds=30)
_PURGED_AT_ONCE: Final = 1000


class Outbox:
    """The letters of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(self, topics: Collection[str], limit: int) -> list[Letter]:
        """Takes up to `limit` letters that are due on these topics. Each is the caller's for `LEASE`."""
        # Whoever looks often finds nothing mostly, and is not to lock anything for that.
        if not await self._database.read(lambda connection: repository.are_due(connection, topics, self._now)):
            return []

        async def work(connection: AsyncConnection) -> list[Letter]:
            until = await database_now(connection, self._clock) + LEASE
            return await repository.claim(connection, topics, self._now, limit, until)

        return await self._database.write(work)

    async def delivered(self, *letters: Letter) -> None:
        """The letters have arrived."""
        await self._finish(letters, LetterState.DELIVERED, self._now)

    async def put_off(self, letter: Letter, *, delay: timedelta, error: str) -> None:
        """The letter is to be tried again in `delay`."""
        await self._finish([letter], LetterState.WAITING, self._clock.sql_now(ago=-delay), error)

    async def bury(self, letter: Letter, *, error: str) -> None:
        """The letter can't be delivered; people must look."""
        await self._finish([letter], LetterState.DEAD, self._now, error)

    async def _finish(
        self, letters: Sequence[Letter], state: LetterState, at: ColumnElement[Any], error: str = ""
    ) -> None:
        # What is no longer ours, its new holder says what becomes of it.
        await self._database.write(
            lambda connection: repository.finish(connection, letters, state=state, at=at, error=error)
        )

    async def dead(self, limit: int = 1000) -> list[DeadLetter]:
        """The dead letters, the oldest first."""
        return await self._database.read(lambda connection: repository.dead(connection, limit))

    async def retry(self, ids: Sequence[int] | None = None) -> int:
        """Has dead letters tried again: these, or all. Returns how many."""
        return await self._database.write(lambda connection: repository.revive(connection, ids, self._now))

    async def drop(self, ids: Sequence[int] | None = None) -> int:
        """Throws dead letters away: these, or all. Returns how many."""
        return await self._database.write(lambda connection: repository.drop(connection, ids))

    async def purge(self, *, older_than: timedelta) -> int:
        """Forgets letters that arrived longer ago than `older_than`. Returns how many."""
        until, purged = self._clock.sql_now(ago=older_than), 0
        while True:
            count = await self._database.write(lambda connection: repository.purge(connection, until, _PURGED_AT_ONCE))
            purged += count
            if count < _PURGED_AT_ONCE:
                return purged

    async def counts(self) -> dict[LetterState, int]:
        """How many letters wait, and how many are dead."""
        return await self._database.read(repository.counts)

    async def overview(self, limit: int) -> Overview:
        """What waits, and the `limit` letters that died last. Its cost has a bound, however many letters there are."""
        return await self._database.read(lambda connection: repository.overview(connection, limit))

    @property
    def _now(self) -> ColumnElement[Any]:
        return self._clock.sql_now()
