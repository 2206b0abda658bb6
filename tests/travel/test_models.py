"""The homestay table: what the model says of it, what a database really has, and what the existing system keeps."""

from typing import Any

from sqlalchemy import Connection, inspect

from domain.columns import table_of
from domain.database import Database
from domain.travel.models import StoredHomestay

HOMESTAYS = table_of(StoredHomestay)
WIDTHS = {"title": 32, "sub_title": 128, "banner": 4096, "info": 4069, "food_info": 2048}
OTHERS = {"id", "create_time", "update_time", "delete_time", "del_state", "version", "people_num"}
OTHERS |= {"homestay_business_id", "user_id", "row_state", "row_type"}
OTHERS |= {"food_price", "homestay_price", "market_homestay_price"}


def widths(types: dict[str, Any]) -> dict[str, int]:
    return {name: type_.length for name, type_ in types.items() if getattr(type_, "length", None)}


async def test_the_columns_are_the_existing_systems(database: Database) -> None:
    def look(connection: Connection) -> dict[str, Any]:
        return {column["name"]: column for column in inspect(connection).get_columns("homestay")}

    found = await database.read(lambda connection: connection.run_sync(look))
    assert set(HOMESTAYS.c.keys()) == set(found) == set(WIDTHS) | OTHERS
    assert widths({column.name: column.type for column in HOMESTAYS.c}) == WIDTHS
    assert widths({name: column["type"] for name, column in found.items()}) == WIDTHS
    assert not [column.name for column in HOMESTAYS.c if column.nullable]
    assert not [name for name, column in found.items() if column["nullable"]]
