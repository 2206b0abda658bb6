"""A list whose orders come as lines of texts is answered as one whose orders come as values."""

import json
from random import Random
from typing import Any, Final, cast

import pytest
import sqlalchemy as sa
from graphql import GraphQLEnumType, GraphQLObjectType, get_named_type, is_composite_type

from bff.execution import facts
from bff.graph import texts
from domain.database import Database
from domain.money import Fen
from domain.order import page_repository, service
from domain.order.lines import SEPARATOR
from domain.order.page_repository import Page, page_of
from tests.bff.client import ANN, Client
from tests.bff.compared import SCHEMA
from tests.conftest import NOW
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTravel
from tests.order.rows import ORDERS, add_rows, create_row
from tests.order.test_hot_statements import random_row

ORDER: Final = cast("GraphQLObjectType", SCHEMA.type_map["HomestayOrder"])
# What others are asked for by what a line has; and what can't be had of one.
LOADED: Final = {"homestay": "homestay { title peopleNum }", "payment": "payment { sn payTime payTotal { amount } }"}
ASKED: Final = {"history"}
PLAIN: Final = [name for name in ORDER.fields if name not in {*LOADED, *ASKED}]

mariadb_only = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


def selected(name: str) -> str:
    composite = is_composite_type(get_named_type(ORDER.fields[name].type))
    return f"{name} {{ amount amountMinor currency }}" if composite else name


def listed(selection: str, arguments: str = "first: 100") -> str:
    return f"{{ userHomestayOrderList({arguments}) {{ {selection} }} }}"


class Reading:
    """Looks at how pages are read."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.as_lines: list[bool] = []
        self._patch = patch

        def watched(*args: Any, **named: Any) -> Page:
            page = page_of(*args, **named)
            self.as_lines.append(page.shape.as_lines)
            return page

        patch.setattr(service, "page_of", watched)

    async def both(self, client: Client, query: str, *, lines: bool = True) -> Any:
        """The answer, which is to be the same without lines."""
        # A plan is made for what comes again.
        for _ in range(2):
            await client.ask(query)
        self.as_lines.clear()
        answer = await client.ask(query)
        assert self.as_lines == [lines]
        with self._patch.context() as patch:
            patch.setattr(page_repository, "can_write_lines", lambda _: False)
            self.as_lines.clear()
            other = await client.ask(query)
            assert self.as_lines == [False]
        for each in (answer, other):
            for error in each.get("errors", ()):
                # How deep a bad row is come upon is another matter, and nobody's business.
                assert error.pop("path")[0] == "userHomestayOrderList"
                del error["extensions"]["requestId"], error["locations"]
        assert answer == other
        return answer


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(monkeypatch)


@pytest.fixture
async def rows(database: Database) -> None:
    """Orders of every kind, all of one guest."""
    random = Random(21)  # noqa: S311 -- nobody has to guess it
    ours = {"user_id": ANN}
    # Its milliseconds are none, which the database writes all the same.
    await add_rows(database, [create_row(user_id=ANN, close_at=NOW)])
    await add_rows(
        database, (random_row(random) | ours | {"food_price": random.choice((0, 7, 2**50))} for _ in range(80))
    )


@mariadb_only
@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("name", PLAIN)
async def test_each_field_is_the_same(client: Client, reading: Reading, name: str) -> None:
    await reading.both(client, listed(f"nodes {{ {selected(name)} }}"))


@mariadb_only
@pytest.mark.usefixtures("rows")
async def test_so_are_all_of_them_wherever_they_are_selected(client: Client, reading: Reading) -> None:
    every = " ".join(map(selected, PLAIN))
    answer = await reading.both(client, listed(f"nodes {{ {every} }}", "first: 30"))
    assert len(answer["data"]["userHomestayOrderList"]["nodes"]) == 30
    for query in (
        listed(f"edges {{ cursor node {{ {every} }} }} totalCount", "first: 20"),
        listed("edges { cursor place: cursor __typename node { __typename sn } } pageInfo { startCursor endCursor }"),
        listed("nodes { number: sn ... on Node { id } ... on HomestayOrder { title price: foodPrice { amount } } }"),
        listed("nodes { title @skip(if: true) remark @include(if: true) }"),
        listed("nodes { sn } edges { node { title orderTotalPrice { __typename amount } } }", "last: 7"),
        listed("nodes { sn tradeState }", "filter: { tradeState: [WAIT_PAY, USED] }"),
        listed("nodes { sn tradeState }", "filter: { tradeState: [] }"),
        listed("nodes { nights }", 'filter: { liveStartDate: { from: "2026-06-04", to: "2026-06-08" } }'),
    ):
        assert "errors" not in await reading.both(client, query), query


@mariadb_only
@pytest.mark.usefixtures("rows")
async def test_what_is_loaded_by_what_a_line_has_is_the_same(
    client: Client, reading: Reading, payments: FakePayments, travel: FakeTravel
) -> None:
    for number in range(2, 40, 2):
        travel.offer(create_homestay(id=number, title=f"Homestay {number}"))
    listing = (await client.data(listed("nodes { sn tradeState }")))["userHomestayOrderList"]["nodes"]
    for order in listing[::2]:
        payments.pay(order["sn"], Fen(59_800))
    every = " ".join(LOADED.values())
    for query in (
        *(listed(f"nodes {{ {each} }}") for each in LOADED.values()),
        listed(f"nodes {{ sn {every} tradeState }} pageInfo {{ endCursor }}"),
        listed(f"edges {{ cursor node {{ {every} sn }} }} totalCount", "first: 20"),
        listed(f"nodes {{ other: {LOADED['homestay']} {every} }} edges {{ node {{ title {every} }} }}", "last: 9"),
        listed("nodes { ... on HomestayOrder { homestay { id __typename } } __typename }", "first: 3"),
    ):
        answer = await reading.both(client, query)
        assert "errors" not in answer, query
        assert '"payTime": "' in json.dumps(answer) or "payment" not in query
    # Down, both of them: each order has its errors.
    payments.down = travel.down = True
    answer = await reading.both(client, listed(f"nodes {{ sn {every} }}", "first: 20"))
    orders = answer["data"]["userHomestayOrderList"]["nodes"]
    assert [each["homestay"] for each in orders] == [None] * 20
    assert len(answer["errors"]) == 20 + sum(order["tradeState"] != "WAIT_PAY" for order in listing[:20])


@mariadb_only
@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("asked", ["history { at }", "history { at } homestay { title }"])
async def test_orders_of_which_others_are_asked_come_as_values(client: Client, reading: Reading, asked: str) -> None:
    await reading.both(client, listed(f"nodes {{ sn {asked} }}", "first: 5"), lines=False)
    await reading.both(client, listed(f"nodes {{ sn }} edges {{ node {{ {asked} }} }}", "first: 5"), lines=False)


@mariadb_only
@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("live_start_date", "0000-00-00", "liveStartDate"),
        ("live_end_date", "2026-00-00", "liveEndDate"),
        ("create_time", "0000-00-00 00:00:00", "createTime"),
        ("trade_state", 77, "tradeState"),
        ("row_type", 9, "saleUnit"),
        ("close_reason", 9, "closeReason"),
        ("order_total_price", 2**60, "orderTotalPrice"),
        ("order_total_price", -5, "orderTotalPrice"),
        ("homestay_total_price", -12_345, "homestayTotalPrice"),
        ("need_food", 3, "needFood"),
    ],
)
async def test_what_is_wrong_in_a_row_is_told_as_ever(
    client: Client, database: Database, reading: Reading, column: str, value: object, field: str
) -> None:
    rows = [create_row(user_id=ANN) for _ in range(3)]
    await add_rows(database, rows)
    # As another system may have left it, whose server looks at no value.
    async with database.engine.begin() as connection:
        await connection.execute(sa.text("set sql_mode = ''"))
        changed = sa.update(ORDERS).where(ORDERS.c.sn == rows[1]["sn"])
        await connection.execute(changed.values({column: sa.literal(str(value), sa.String())}))
        await connection.execute(sa.text("set sql_mode = default"))
    await reading.both(client, listed(f"nodes {{ sn {selected(field)} }}"))


@mariadb_only
async def test_a_text_that_would_end_another_is_read_as_a_value(
    client: Client, database: Database, reading: Reading
) -> None:
    await add_rows(database, [create_row(user_id=ANN, title=f"a{SEPARATOR}b"), create_row(user_id=ANN)])
    query = listed("nodes { title remark }")
    for _ in range(3):
        found = (await client.data(query))["userHomestayOrderList"]["nodes"]
    assert [each["title"] for each in found] == ["Courtyard House", f"a{SEPARATOR}b"]
    assert reading.as_lines[-2:] == [True, False]


def test_every_field_that_is_worked_out_says_what_it_is_of_texts() -> None:
    assert {name for name, field in ORDER.fields.items() if facts.written(field) is None} == {*LOADED, *ASKED}
    assert {name for name, field in ORDER.fields.items() if facts.loaded(field) is not None} == {*LOADED}
    kinds = {name: get_named_type(field.type) for name, field in ORDER.fields.items()}
    assert any(isinstance(kind, GraphQLEnumType) for kind in kinds.values())


def test_what_is_remembered_of_texts_is_bounded() -> None:
    for number in range(3 * texts.MOST):
        assert texts.AMOUNTS[str(number)] == f"{number / 100:.2f}"
    assert len(texts.AMOUNTS) <= texts.MOST
    for wrong in ("0000-00-00", "2026-02-30", "20260101", ""):
        with pytest.raises(ValueError, match=r"year|day|Invalid|2026"):
            texts.DAYS[wrong]
    assert "0000-00-00" not in texts.DAYS
