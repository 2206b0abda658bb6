"""Keys that clients make for their requests: the same key gives the same order, however often and from where it comes.

The key is stored with what it led to, in one transaction: after a crash, both are there or neither.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database
from domain.errors import InvalidInput, KeyReused
from domain.order.models import IdempotencyKey

_KEYS: Final = table_of(IdempotencyKey)

# As long as Stripe's: a client that tries again for longer has other troubles.
KEPT: Final = timedelta(hours=24)
MAX_LENGTH: Final = 64


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
        said = json.dumps([operation, request], sort_keys=True, default=str)
        return cls(user_id, hashlib.sha256(key.encode()).hexdigest(), hashlib.sha256(said.encode()).hexdigest())


class Idempotency:
    """The keys of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, key: Key | None) -> str | None:
        """The sn of the order that this request led to before; None where there was none, or no key is given.

        Raises:
            KeyReused: the key stands for another request.
        """
        if key is None:
            return None
        is_it = (_KEYS.c.user_id == key.user_id) & (_KEYS.c.key_hash == key.key_hash)
        too_old = _KEYS.c.created_at < self._clock.sql_now(ago=KEPT)
        statement = select(_KEYS.c.order_sn, _KEYS.c.request_hash, too_old).where(is_it)
        found = (await self._database.read(lambda connection: connection.execute(statement))).one_or_none()
        if found is None:
            return None
        order_sn, request_hash, expired = found
        if expired:
            await self._database.write(lambda connection: connection.execute(delete(_KEYS).where(is_it, too_old)))
            return None
        if request_hash != key.request_hash:
            raise KeyReused("This key was used for another request.", "idempotencyKey")
        return str(order_sn)

    async def keep(self, connection: AsyncConnection, key: Key | None, order_sn: str) -> None:
        """Stores what the request led to, in the transaction that leads to it.

        Raises:
            IntegrityError: the same key was faster elsewhere.
        """
        if key is not None:
            await connection.execute(
                insert(_KEYS).values(
                    user_id=key.user_id,
                    key_hash=key.key_hash,
                    request_hash=key.request_hash,
                    order_sn=order_sn,
                    created_at=self._clock.sql_now(),
                )
            )

    async def remember(self, key: Key | None, order_sn: str) -> None:
        """Stores what a request led to that may be made twice without harm, once it was made."""
        if key is not None:
            with suppress(IntegrityError):  # the same request was faster elsewhere, and led to the same
                await self._database.write(lambda connection: self.keep(connection, key, order_sn))

    async def purge(self) -> int:
        """Forgets the keys that are kept no longer. Returns how many."""
        statement = delete(_KEYS).where(_KEYS.c.created_at < self._clock.sql_now(ago=KEPT))
        return (await self._database.write(lambda connection: connection.execute(statement))).rowcount
