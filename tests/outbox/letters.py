"""Letters in few words: written, and looked at as they are stored."""

from typing import Any, Final

import sqlalchemy as sa

from domain import outbox
from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database
from domain.outbox.models import OutboxLetter

TOPIC: Final = "order.refund"
OTHER: Final = "order.changed"
LETTERS: Final = table_of(OutboxLetter)


async def write(database: Database, clock: Clock, *subjects: str, topic: str = TOPIC) -> None:
    """Writes a letter about each subject, in one transaction."""
    letters = {subject: {"sn": subject} for subject in subjects}
    await database.write(lambda connection: outbox.add(connection, topic, letters, clock.sql_now()))


async def stored(database: Database) -> list[dict[str, Any]]:
    """The whole table, oldest first."""
    found = await database.read(lambda connection: connection.execute(sa.select(LETTERS).order_by(LETTERS.c.id)))
    return [dict(row._mapping) for row in found]


async def column(database: Database, name: str) -> dict[str, Any]:
    """One column of each letter, by subject."""
    return {row["subject"]: row[name] for row in await stored(database)}
