"""Every SQL statement about homestays. Nothing here commits or decides a rule."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Final

from sqlalchemy import insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.travel.models import Homestay, StoredHomestay

_HOMESTAYS: Final = table_of(StoredHomestay)
_COLUMNS: Final = [_HOMESTAYS.c[field.name] for field in fields(Homestay)]


async def find(connection: AsyncConnection, homestay_id: int) -> Homestay | None:
    """The homestay with this id, on the shelf or not."""
    statement = select(*_COLUMNS).where(_HOMESTAYS.c.id == homestay_id, _HOMESTAYS.c.del_state == 0)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Homestay(**row._mapping)


async def find_many(connection: AsyncConnection, homestay_ids: Collection[int]) -> list[Homestay]:
    """The homestays with these ids, on the shelf or not; those that are missing are left out."""
    statement = select(*_COLUMNS).where(_HOMESTAYS.c.id.in_(homestay_ids), _HOMESTAYS.c.del_state == 0)
    return [Homestay(**row._mapping) for row in await connection.execute(statement)]


async def is_empty(connection: AsyncConnection) -> bool:
    """Whether no row was ever stored, or none was left; a deleted homestay is still a row."""
    return (await connection.execute(select(literal(1)).select_from(_HOMESTAYS).limit(1))).first() is None


async def add(connection: AsyncConnection, homestays: Sequence[Homestay]) -> None:
    """Stores new homestays under the ids that they bring.

    Raises:
        IntegrityError: one of the ids is taken.
    """
    await connection.execute(insert(_HOMESTAYS).values([asdict(homestay) for homestay in homestays]))
