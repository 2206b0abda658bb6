"""Engines: what each kind of database is told before it is used."""

from typing import Any

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.engine import create_engine

only_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def value(database: Database, statement: str) -> Any:
    return (await database.read(lambda connection: connection.execute(sa.text(statement)))).scalar_one()


@only_mariadb
async def test_mariadb_is_told_how_to_behave(database: Database) -> None:
    assert await value(database, "select @@tx_isolation") == "READ-COMMITTED"
    assert await value(database, "select @@innodb_lock_wait_timeout") == 2
    assert await value(database, "select @@time_zone") == "+00:00"
    assert await value(database, "select @@character_set_connection") == "utf8mb4"


@only_mariadb
async def test_mariadb_stores_nothing_that_is_not_meant(database: Database) -> None:
    modes = set((await value(database, "select @@sql_mode")).split(","))
    assert {"STRICT_TRANS_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO"} <= modes


@only_sqlite
async def test_sqlite_is_told_how_to_behave(database: Database) -> None:
    assert await value(database, "pragma journal_mode") == "wal"
    assert await value(database, "pragma synchronous") == 2  # full
    assert await value(database, "pragma busy_timeout") == 5000
    assert await value(database, "pragma foreign_keys") == 1


async def test_a_database_that_answers_can_be_asked_for_nothing(database: Database) -> None:
    await database.ping()


@pytest.mark.parametrize("url", ["sqlite:///x.db", "mysql+pymysql://h/d", "postgresql+asyncpg://h/d"])
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"mysql\+aiomysql:// or sqlite\+aiosqlite:///"):
        create_engine(url)
