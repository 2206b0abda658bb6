"""The tables of this version: brought up to date by alembic, or checked."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import domain
from domain.database import Database, losses_told

SCRIPTS: Final = Path(domain.__file__).parent / "migrations"
# A minute is longer than any migration; one that took longer would say so by failing.
_LOCK: Final = text("select get_lock('homestay_migrate', 60)")
_UNLOCK: Final = text("select release_lock('homestay_migrate')")


class NotMigrated(Exception):
    """The tables are not those of this version."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; everything is here, there is no alembic.ini."""
    configuration = Config()
    configuration.set_main_option("script_location", str(SCRIPTS))
    configuration.attributes["connection"] = connection
    return configuration


async def upgrade(database: Database) -> None:
    """Brings the tables up to date; processes that start at once take turns.

    One at a time in a process: alembic keeps what it works on in a global.

    Args:
        database: with no deadline for a statement, where the tables hold much already.

    Raises:
        DatabaseUnavailable: it can't be used.
    """
    with losses_told():
        await _upgrade_alone(database)


async def _upgrade_alone(database: Database) -> None:
    async with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # BEGIN IMMEDIATE is SQLite's lock, and its tables are made inside the transaction.
            await connection.run_sync(_upgrade)
            await connection.commit()
        else:
            await connection.execute(_LOCK)
            try:
                await connection.run_sync(_upgrade)
                await connection.commit()
            finally:
                await connection.execute(_UNLOCK)


async def version(database: Database) -> str | None:
    """The version that the tables are at; None for an empty database."""
    with losses_told():
        async with database.engine.connect() as connection:
            return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def check(database: Database) -> None:
    """Compares the tables' version with this one's.

    Raises:
        NotMigrated: they differ.
    """
    found, wanted = await version(database), ScriptDirectory.from_config(config()).get_current_head()
    if found != wanted:
        raise NotMigrated(f"the database is at version {found}, this program needs {wanted}: run `homestay migrate`")


def _upgrade(connection: Connection) -> None:
    command.upgrade(config(connection), "head")
