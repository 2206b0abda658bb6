"""Keys that clients make for their requests: the same key gives the same order, however often and from where it comes.

The key is stored with what it led to, in one transaction: after a crash, both are there or neither.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple, Self
from weakref import WeakValueDictionary

from sqlalchemy import ColumnElement, Select, bindparam, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database
from domain.errors import InvalidInput, KeyReused, Refusal
from domain.order.models import IdempotencyKey
from domain.prepared import Prepared
from domain.shared_question import SharedQuestion
from domain.together import Statement, Together

_KEYS: Final = table_of(IdempotencyKey)

# As long as Stripe's: a client that tries again for longer has other troubles.
KEPT: Final = timedelta(hours=24)
MAX_LENGTH: Final = 64
# How many keys are looked for by one statement.
AT_ONCE: Final = (1, 2, 4, 8, 16, 32)
_NO_TURN: Final = nullcontext()
# Made once, and kept as it is: a repeat is known by these words, also where another version wrote them down.
_SAID: Final = json.JSONEncoder(sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class Key:
    """A guest's key for one request."""

    user_id: int
    key_hash: str
    request_hash: str

    @classmethod
    def of(cls, user_id: int, key: str, operation: str, request: Mapping[str, Any]) -> Self:
        """The key of a request.

        Args:
            user_id: the guest.
            key: as the client made it.
            operation: what is asked for; the same key for another operation is another request.
            request: its arguments, as JSON values.

        Raises:
            InvalidInput: no key has this form.
        """
        if not 1 <= len(key) <= MAX_LENGTH or not key.isprintable():
            raise InvalidInput(f"A key has 1 to {MAX_LENGTH} printable characters.", "idempotencyKey")
        said = _SAID.encode([operation, request])
        return cls(user_id, hashlib.sha256(key.encode()).hexdigest(), hashlib.sha256(said.encode()).hexdigest())


class _Kept(NamedTuple):
    """What is kept of a key."""

    order_sn: str
    request_hash: str
    is_too_old: bool


class Idempotency:
    """The keys of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._too_old = _KEYS.c.created_at < clock.sql_now(ago=KEPT)
        # One for each number of keys that are looked for at once.
        self._look_for = {number: Prepared("find", self.kept_statement(number)) for number in AT_ONCE}
        self._question: SharedQuestion[Key, _Kept | None] = SharedQuestion(self._kept, max(AT_ONCE))
        self._keep = Statement(insert(_KEYS).values(created_at=clock.sql_now()))
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def find(self, key: Key | None) -> str | None:
        """The sn of the order that this request led to before; None where there was none, or no key is given.

        Raises:
            KeyReused: the key stands for another request.
        """
        if key is None:
            return None
        found = await self._question.ask(key)
        if found is None:
            return None
        if found.is_too_old:
            statement = delete(_KEYS).where(_is(key), self._too_old)
            await self._database.write(lambda connection: connection.execute(statement))
            return None
        if found.request_hash != key.request_hash:
            raise KeyReused("This key was used for another request.", "idempotencyKey")
        return found.order_sn

    async def _kept(self, keys: Sequence[Key]) -> list[_Kept | None]:
        """Of each key what is kept of it."""
        number = next(number for number in AT_ONCE if number >= len(keys))
        # Places that are left over are filled with a key that is looked for anyway.
        places = [*keys, *[keys[0]] * (number - len(keys))]
        values = {name: value for place, key in enumerate(places) for name, value in _named(place, key)}
        rows = await self._database.fetch(self._look_for[number], values)
        found = {(user_id, key_hash): _Kept(*kept) for user_id, key_hash, *kept in rows}
        return [found.get((key.user_id, key.key_hash)) for key in keys]

    def kept_statement(self, number: int) -> Select[Any]:
        """The statement that looks for so many keys, so that a test can ask the database how it would run it."""
        return select(_KEYS.c.user_id, _KEYS.c.key_hash, _KEYS.c.order_sn, _KEYS.c.request_hash, self._too_old).where(
            or_(
                *(
                    (_KEYS.c.user_id == bindparam(f"user{place}")) & (_KEYS.c.key_hash == bindparam(f"key{place}"))
                    for place in range(number)
                )
            )
        )

    async def keep(self, together: Together, led_to: Iterable[tuple[Key | None, str]]) -> None:
        """Stores what requests led to, in the transaction that leads to it, when what waits is sent.

        Sending it raises IntegrityError where the same key was faster elsewhere.

        Args:
            together: the transaction.
            led_to: of each request the sn of its order, under its key if it has one.
        """
        rows = [
            {"user_id": key.user_id, "key_hash": key.key_hash, "request_hash": key.request_hash, "order_sn": order_sn}
            for key, order_sn in led_to
            if key is not None
        ]
        if rows:
            # In one order for all: two transactions with the same keys never wait for each other.
            rows.sort(key=itemgetter("user_id", "key_hash"))
            together.put(self._keep, rows)

    def turn(self, key: Key | None) -> AbstractAsyncContextManager[None]:
        """Lets requests with one key in one at a time, as far as they meet in this process.

        Those that come after the first find what it led to: they take no place among a guest's attempts, and no
        connection while they wait. Between processes it is the key's row that decides.
        """
        if key is None:
            return _NO_TURN
        return self._turns.setdefault((key.user_id, key.key_hash), asyncio.Lock())

    @asynccontextmanager
    async def claimed(self, key: Key | None, order_sn: str) -> AsyncIterator[bool]:
        """Claims a key for a request that may be carried out twice without harm, before it is.

        So no other request can have the key meanwhile. One that is refused gives it back. Gives whether an earlier
        request, or a part of one before a crash, had claimed it.

        Raises:
            KeyReused: the key stands for another request.
        """
        if key is None:
            yield False
            return
        async with self.turn(key):
            before = await self._claim(key, order_sn)
            try:
                yield before
            except Refusal:
                if not before:
                    await self._database.write(lambda connection: connection.execute(delete(_KEYS).where(_is(key))))
                raise

    async def _claim(self, key: Key, order_sn: str) -> bool:
        if await self.find(key) is not None:
            return True
        try:
            await self._database.write(lambda connection: self._keep_alone(connection, key, order_sn))
        except IntegrityError:
            # Another process was faster; if with another request, finding it says so.
            return await self.find(key) is not None
        return False

    async def _keep_alone(self, connection: AsyncConnection, key: Key, order_sn: str) -> None:
        together = Together(connection)
        await self.keep(together, [(key, order_sn)])
        await together.send()

    async def purge(self) -> int:
        """Forgets the keys that are kept no longer. Returns how many."""
        statement = delete(_KEYS).where(_KEYS.c.created_at < self._clock.sql_now(ago=KEPT))
        return (await self._database.write(lambda connection: connection.execute(statement))).rowcount


def _named(place: int, key: Key) -> Iterator[tuple[str, Any]]:
    """A key's values under the names that they have in a statement about several."""
    yield f"user{place}", key.user_id
    yield f"key{place}", key.key_hash


def _is(key: Key) -> ColumnElement[bool]:
    return (_KEYS.c.user_id == key.user_id) & (_KEYS.c.key_hash == key.key_hash)
