"""What is looked at for several orders that are placed together is found along keys, however many there are."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.order import night_repository, placing_repository
from domain.together import NUMBERS, Statement
from tests.order.rows import add_rows, create_row
from tests.order.tills import NIGHTS

LIMIT: Final = 3
KEYS_OF_GUESTS: Final = {"ix_homestay_order_user", "ix_homestay_order_user_state"}


async def explained(database: Database, explain: str) -> list[Mapping[str, Any]]:
    rows = await database.read(lambda connection: connection.execute(sa.text(explain)))
    return [dict(row._mapping) for row in rows]


def said(database: Database, statement: Statement, values: dict[str, Any]) -> str:
    text = statement.text(database.engine.dialect, values)
    return text.filled(values, lambda value: f"'{value}'")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("number", NUMBERS)
async def test_what_is_looked_at_for_several_is_found_along_keys(database: Database, number: int) -> None:
    rows = [create_row(user_id=guest, homestay_id=guest) for guest in range(5000)]
    await add_rows(database, rows)
    nights = [
        {
            "homestay_id": row["homestay_id"],
            "night": row["live_start_date"],
            "place": 0,
            "whole": True,
            "order_sn": row["sn"],
        }
        for row in rows
    ]
    await database.write(lambda connection: connection.execute(sa.insert(NIGHTS), nights))
    for table in ("homestay_order", "homestay_night"):
        await database.write(lambda connection, table=table: connection.execute(sa.text(f"analyze table {table}")))  # type: ignore[misc]
    looks = {
        "sn": (placing_repository._FOUND._made[number], {"sn": [row["sn"] for row in rows]}),
        "of guests": (
            placing_repository.room_for_one_more(LIMIT)._made[number],
            {"user_id": [row["user_id"] for row in rows]},
        ),
        "PRIMARY": (
            night_repository._HOLD_AGAIN._made[number],
            {
                "homestay_id": [row["homestay_id"] for row in rows],
                "start": [row["live_start_date"] for row in rows],
                "end": [row["live_end_date"] for row in rows],
            },
        ),
    }
    for index, (statement, of_each) in looks.items():
        values = {f"{name}{place}": each[37 * place] for name, each in of_each.items() for place in range(number)}
        explain = f"explain {said(database, statement, values)}".replace(":", r"\:")
        steps = await explained(database, explain)
        looked = [step for step in steps if step["table"] in {"homestay_order", "homestay_night"} and step["key"]]
        assert {step["key"] for step in looked} <= (KEYS_OF_GUESTS if index == "of guests" else {index}), steps
        assert not [step for step in steps if step["type"] in {"ALL", "index"} and step["table"] == "homestay_order"], (
            steps
        )
        assert sum(int(step["rows"]) for step in looked) <= 4 * number, steps
