"""The tables of this version: brought up to date by alembic, or checked.

Migrations only add, so tables of a later version serve this one too. While a version is rolled out, or rolled back,
both run on the same tables, and either may have to start anew.
"""

from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import domain
from domain.database import Database, losses_told

log = structlog.get_logger(__name__)

SCRIPTS: Final = Path(domain.__file__).parent / "migrations"
# A minute is longer than any migration; one that took longer would say so by failing.
_LOCK: Final = text("select get_lock('homestay_migrate', 60)")
_UNLOCK: Final = text("select release_lock('homestay_migrate')")


class NotMigrated(Exception):
    """The tables are those of an earlier version, or there are none."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; everything is here, there is no alembic.ini."""
    configuration = Config()
    configuration.set_main_option("script_location", str(SCRIPTS))
    configuration.attributes["connection"] = connection
    return configuration


async def upgrade(database: Database) -> None:
    """Brings the tables up to date; processes that start at once take turns. Those of a later version stay as they are.

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
        NotMigrated: they are of an earlier one.
    """
    found, wanted = await version(database), ScriptDirectory.from_config(config()).get_current_head()
    if _is_later(found):
        log.warning("the tables are of a later version", found=found, known=wanted)
    elif found != wanted:
        raise NotMigrated(f"the database is at version {found}, this program needs {wanted}: run `homestay migrate`")


def _is_later(found: str | None) -> bool:
    """Whether a version is none that this program knows: each knows all that came before its own."""
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    return found is not None and found not in known


def _upgrade(connection: Connection) -> None:
    if _is_later(MigrationContext.configure(connection).get_current_revision()):
        return
    command.upgrade(config(connection), "head")
