"""A database that the existing system has filled is taken as it is: its rows stay, ours come beside them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

import domain.leases
import domain.order.models
import domain.payment.models
import domain.travel.models  # noqa: F401 -- imported for their tables
from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.order.adoption import Adopted, Adoption
from domain.order.models import HomestayNight
from domain.order.night_repository import forsaken_statement
from tests.conftest import SHANGHAI
from tests.order.rows import LETTERS, ORDERS, REFUNDS, create_row, stored
from tests.system.installation import Installation
from tests.workers import seed
from tests.workers.seed import Seed
from workers import migration
from workers.clock import SystemClock

OURS = {"close_at", "close_reason", "payment_sn", "checked_in_at", "expire_time", "live_order_sn"}


@pytest.fixture
async def adopted(database_url: str) -> AsyncIterator[Database]:
    opened = Database(create_engine(database_url))
    yield opened
    await opened.close()


async def rows_of(database: Database, table: sa.Table) -> list[tuple[Any, ...]]:
    statement = sa.select(table).order_by(table.c.id)
    return [tuple(row) for row in await database.read(lambda connection: connection.execute(statement))]


async def test_ten_thousand_orders_stay_as_they_are_and_those_to_come_get_their_nights(
    adopted: Database, database_url: str, tmp_path: Path
) -> None:
    written = Seed(datetime.now(SHANGHAI).date())
    await written.write(adopted)
    tables = (seed.ORDERS, seed.PAYMENTS, seed.HOMESTAYS)
    before = [await rows_of(adopted, table) for table in tables]
    assert [len(rows) for rows in before] == [10_000, 3_000, 300]

    migrated = Installation(tmp_path, HOMESTAY_DATABASE_URL=database_url).command("migrate", "--json")
    assert migrated.returncode == 0, migrated.stderr
    told = json.loads(migrated.stdout)
    lucky, unlucky = written.fates()
    assert len(lucky) > 500
    assert len(unlucky) > 50
    assert (told["adopted"], told["freed"]) == (len(lucky), 0)
    assert [conflict["sn"] for conflict in told["conflicts"]] == unlucky
    assert all(conflict["nights"] for conflict in told["conflicts"])
    assert "orders have theirs" not in migrated.stderr  # nobody looks: it is no terminal

    assert [await rows_of(adopted, table) for table in tables] == before
    for row in await stored(adopted, ORDERS):
        assert {name: row[name] for name in OURS & set(row)} == {
            "close_at": None,
            "close_reason": None,
            "payment_sn": "",
            "checked_in_at": None,
        }
    nights = await stored(adopted, table_of(HomestayNight))
    assert {night["order_sn"] for night in nights} == set(lucky)
    held = sum(_held(order, written) for order in written.orders if order["sn"] in set(lucky))
    assert len(nights) == held

    again = await Adoption(adopted, SystemClock(), SHANGHAI).run()
    assert (again.adopted, again.freed, [conflict.sn for conflict in again.conflicts]) == (0, 0, unlucky)
    found = await adopted.read(lambda connection: connection.execute(forsaken_statement(written.today, 1)))
    assert found.all() == []
    await models_agree(adopted)


def _held(order: dict[str, Any], written: Seed) -> int:
    nights: int = (order["live_end_date"] - max(order["live_start_date"], written.today)).days
    return nights * (1 if order["row_type"] == 0 else int(order["live_people_num"]))


async def models_agree(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, SQLModel.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_orders_that_could_not_have_their_nights_are_listed_for_people(
    adopted: Database, database_url: str, tmp_path: Path
) -> None:
    today = datetime.now(SHANGHAI).date()
    written = Seed(today)
    room = next(number for number, homestay in enumerate(written.homestays, 1) if homestay["row_type"] == 0)
    order = written.orders[0] | {
        "homestay_id": room,
        "row_type": 0,
        "trade_state": 1,
        "del_state": 0,
        "live_start_date": today.replace(year=today.year + 1, day=1),
        "live_end_date": today.replace(year=today.year + 1, day=3),
    }
    written.orders, written.payments = [order, order | {"sn": "HSO20260520120000TOOLATE1"}], []
    await written.write(adopted)
    migrated = Installation(tmp_path, HOMESTAY_DATABASE_URL=database_url).command("migrate")
    first, second = order["live_start_date"], order["live_start_date"].replace(day=2)
    assert migrated.stdout.splitlines() == [
        f"the database is at version {await migration.version(adopted)}",
        "1 orders took their nights, 0 closed ones gave theirs up",
        "1 orders have no nights, because other orders hold these:",
        f"  HSO20260520120000TOOLATE1  homestay {room}  {first}, {second}",
    ]
    assert migrated.returncode == 0


async def test_an_empty_database_has_nothing_to_adopt(adopted: Database) -> None:
    await migration.upgrade(adopted)
    assert await Adoption(adopted, SystemClock(), SHANGHAI).run() == Adopted()
    await models_agree(adopted)


async def test_refunds_by_order_become_refunds_by_payment_and_those_due_get_their_letters(adopted: Database) -> None:
    async with adopted.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(migration.config(sync), "0002"))
        await connection.commit()
    names = ("order_sn", "payment_sn", "total", "requested_at", "refunded_at")
    old = sa.table("homestay_order_refund", *map(sa.column, names))
    at = [datetime(2026, 5, 20, 4, minute, 7, 123_000) for minute in range(3)]  # noqa: DTZ001 -- as the table has it
    rows = [
        {"order_sn": f"HSO{n}", "payment_sn": f"PMT{n}", "total": 100 + n, "requested_at": at[n], "refunded_at": made}
        for n, made in enumerate([None, at[2], None])
    ]
    order = {name: value for name, value in create_row().items() if name not in {"payment_sn", "checked_in_at"}}
    await adopted.write(lambda connection: connection.execute(sa.insert(old), rows))
    await adopted.write(lambda connection: connection.execute(sa.insert(ORDERS).values(**order)))

    await migration.upgrade(adopted)
    kept = await stored(adopted, REFUNDS)
    utc = [moment.replace(tzinfo=UTC) for moment in at]
    assert [(row["payment_sn"], row["order_sn"], row["total"]) for row in kept] == [
        ("PMT0", "HSO0", 100),
        ("PMT1", "HSO1", 101),
        ("PMT2", "HSO2", 102),
    ]
    assert [(row["requested_at"], row["refunded_at"]) for row in kept] == [
        (utc[0], None),
        (utc[1], utc[2]),
        (utc[2], None),
    ]
    letters = await stored(adopted, LETTERS)
    assert [(letter["topic"], letter["subject"], letter["payload"], letter["due_at"]) for letter in letters] == [
        ("order.refund", f"PMT{n}", {"orderSn": f"HSO{n}", "paymentSn": f"PMT{n}"}, utc[n]) for n in (0, 2)
    ]
    assert all(letter["state"] == 0 and letter["attempts"] == 0 for letter in letters)
    (row,) = await stored(adopted, ORDERS)
    assert (row["sn"], row["payment_sn"], row["checked_in_at"]) == (order["sn"], "", None)
    await models_agree(adopted)
