"""Accounts of a month, from the command line."""

import asyncio
import json
from datetime import date
from typing import Final

import pytest
import sqlalchemy as sa

from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.order.models import HomestaySettlement
from tests.bff.terminal import Terminal
from tests.conftest import NOW
from workers import migration

JUNE: Final = date(2026, 6, 1)


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    """A terminal of an installation with accounts."""
    asyncio.run(settle(terminal.database_url))
    return terminal


async def settle(url: str) -> None:
    """Two businesses in June, one in May."""
    database = Database(create_engine(url))
    await migration.upgrade(database)
    rows = [
        {
            "month": month,
            "business_id": business,
            "orders": 3,
            "nights": 8,
            "homestay_total": 239_205,
            "food_total": 1_200,
            "total": 240_405,
            "settled_at": NOW,
        }
        for month, business in ((JUNE, 11), (JUNE, 12), (date(2026, 5, 1), 11))
    ]
    await database.write(lambda connection: connection.execute(sa.insert(table_of(HomestaySettlement)), rows))
    await database.close()


def test_a_month_is_shown_for_people(terminal: Terminal) -> None:
    shown = terminal.run("settlements", "--month", "2026-06")
    heading, *rows = shown.stdout.splitlines()
    assert shown.exit_code == 0
    assert heading.split() == ["BUSINESS", "ORDERS", "NIGHTS", "HOMESTAY", "FOOD", "TOTAL", "SETTLED"]
    assert [row.split()[:6] for row in rows] == [
        [business, "3", "8", "2392.05", "12.00", "2404.05"] for business in ("11", "12")
    ]


def test_a_month_is_told_to_machines_in_fen(terminal: Terminal) -> None:
    told = json.loads(terminal.run("settlements", "--month", "2026-06", "--business", "12", "--json").stdout)
    assert told == [
        {
            "month": "2026-06",
            "business_id": 12,
            "orders": 3,
            "nights": 8,
            "homestay_total": 239_205,
            "food_total": 1_200,
            "total": 240_405,
            "settled_at": NOW.isoformat(),
        }
    ]


def test_a_month_that_is_not_settled_is_said_to_be_so(terminal: Terminal) -> None:
    shown = terminal.run("settlements", "--month", "2026-07")
    assert (shown.exit_code, "nothing is settled for 2026-07" in shown.stdout) == (0, True)
    assert json.loads(terminal.run("settlements", "--month", "2026-07", "--json").stdout) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("month", ["2026-13", "2026-6", "2026", "June", "2026-06-01", "٢٠٢٦-06", ""])
def test_what_is_no_month_is_refused(terminal: Terminal, month: str) -> None:
    refused = terminal.run("settlements", "--month", month)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "expected for example 2026-10" in refused.stderr
