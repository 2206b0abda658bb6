from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

import domain.order.models
import domain.payment.models
import domain.travel.models  # noqa: F401 -- imported for their tables
from domain.database import Database
from domain.engine import create_engine
from tests.system.installation import Installation
from workers import migration
from workers.migration import NotMigrated


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    """A database without tables."""
    opened = Database(create_engine(database_url))
    yield opened
    await opened.close()


async def test_models_and_migrations_agree(empty: Database) -> None:
    await migration.upgrade(empty)

    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, SQLModel.metadata))

    async with empty.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_second_run_changes_nothing(empty: Database) -> None:
    await migration.upgrade(empty)
    await migration.upgrade(empty)
    await migration.check(empty)


async def test_a_database_that_is_behind_is_told_apart(empty: Database) -> None:
    with pytest.raises(NotMigrated, match="homestay migrate"):
        await migration.check(empty)


async def test_tables_of_a_later_version_are_used_and_left_as_they_are(empty: Database) -> None:
    await migration.upgrade(empty)
    later = sa.text("update alembic_version set version_num = '9999'")
    await empty.write(lambda connection: connection.execute(later))
    await migration.check(empty)
    await migration.upgrade(empty)
    assert await migration.version(empty) == "9999"


def test_processes_that_start_at_once_take_turns(database_url: str, tmp_path: Path) -> None:
    installation = Installation(tmp_path, HOMESTAY_DATABASE_URL=database_url)
    with ThreadPoolExecutor(3) as threads:
        migrations = list(threads.map(lambda _: installation.command("migrate"), range(3)))
    assert {done.returncode for done in migrations} == {0}, [done.stderr for done in migrations]
