"""What is stored, whatever is answered."""

import sqlalchemy as sa

from domain.columns import table_of
from domain.database import Database
from domain.order.models import HomestayNight, HomestayOrder


async def owners(database: Database) -> list[int]:
    """The guests of the orders that are stored, one for each order."""
    statement = sa.select(table_of(HomestayOrder).c.user_id)
    return list((await database.read(lambda connection: connection.execute(statement))).scalars())


async def held(database: Database) -> int:
    """How many places are taken, over all homestays and nights."""
    statement = sa.select(sa.func.count()).select_from(table_of(HomestayNight))
    return int((await database.read(lambda connection: connection.execute(statement))).scalar_one())
