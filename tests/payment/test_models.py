"""The payment table: what the model says of it, what a database really has, and what the existing system keeps."""

from typing import Any

import pytest
from sqlalchemy import Connection, inspect

from domain.database import Database
from tests.payment.calls import PAYMENTS

# Text columns of the existing system, and ours at the end.
WIDTHS = {
    "sn": 25,
    "pay_mode": 20,
    "trade_type": 20,
    "trade_state": 20,
    "transaction_id": 32,
    "trade_state_desc": 256,
    "order_sn": 25,
    "service_type": 32,
    "live_order_sn": 25,
}
OTHERS = {"id", "create_time", "update_time", "delete_time", "del_state", "version", "user_id", "pay_total"}
OTHERS |= {"pay_status", "pay_time", "expire_time"}


@pytest.fixture
async def found(database: Database) -> dict[str, Any]:
    def look(connection: Connection) -> dict[str, Any]:
        inspector = inspect(connection)
        indexes = inspector.get_indexes("third_payment")
        unique = {tuple(key["column_names"]) for key in inspector.get_unique_constraints("third_payment")}
        return {
            "columns": {column["name"]: column for column in inspector.get_columns("third_payment")},
            "unique": unique | {tuple(index["column_names"]) for index in indexes if index["unique"]},
            "indexes": {tuple(index["column_names"]) for index in indexes if not index["unique"]},
        }

    return await database.read(lambda connection: connection.run_sync(look))


def widths(types: dict[str, Any]) -> dict[str, int]:
    return {name: type_.length for name, type_ in types.items() if getattr(type_, "length", None)}


async def test_the_columns_are_the_existing_systems_and_two_of_ours(found: dict[str, Any]) -> None:
    assert set(PAYMENTS.c.keys()) == set(found["columns"]) == set(WIDTHS) | OTHERS
    assert widths({column.name: column.type for column in PAYMENTS.c}) == WIDTHS
    assert widths({name: column["type"] for name, column in found["columns"].items()}) == WIDTHS


async def test_only_what_may_be_unknown_may_be_null(found: dict[str, Any]) -> None:
    nullable = {"pay_time", "expire_time", "live_order_sn"}
    assert {column.name for column in PAYMENTS.c if column.nullable} == nullable
    assert {name for name, column in found["columns"].items() if column["nullable"]} == nullable


async def test_a_number_and_a_place_are_taken_once_and_what_is_asked_often_is_found_fast(found: dict[str, Any]) -> None:
    unique: set[tuple[str, ...]] = {(column.name,) for column in PAYMENTS.c if column.unique}
    unique |= {tuple(index.columns.keys()) for index in PAYMENTS.indexes if index.unique}
    assert unique == found["unique"] == {("sn",), ("live_order_sn",)}
    plain = {tuple(index.columns.keys()) for index in PAYMENTS.indexes if not index.unique}
    assert plain == found["indexes"] == {("order_sn",), ("update_time", "id")}
