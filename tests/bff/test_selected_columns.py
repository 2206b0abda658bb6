"""A page is read with the columns that are selected and no others; where that is not known, with all."""

from datetime import date
from typing import Any, Final, cast

import pytest
from graphql import GraphQLObjectType, get_named_type, is_composite_type, parse

from bff.execution import facts
from bff.execution.again import Known
from bff.graph import schema, types
from domain.database import Database
from domain.order.models import Order
from domain.order.page_repository import OrderFilter, Window, page_of, read_pages
from tests.bff.client import ANN, Client, any_database
from tests.bff.compared import SCHEMA, fresh_executor
from tests.bff.stand_in import STATES, StandIn, context_of

ORDER: Final = cast("GraphQLObjectType", SCHEMA.type_map["HomestayOrder"])
BELOW: Final = {"history": "{ at }", "homestay": "{ title }", "payment": "{ sn }"}
ALL: Final = OrderFilter()


def selected(name: str) -> str:
    field = ORDER.fields[name]
    return f"{name} {BELOW.get(name, '{ amountMinor }') if is_composite_type(get_named_type(field.type)) else ''}"


async def answer(selection: str) -> tuple[Any, StandIn]:
    """An answer, by an operation that came before; and who was asked."""
    known = Known.of(SCHEMA, parse(f"{{ userHomestayOrderList(first: {len(STATES)}) {selection} }}"), None)
    assert known is not None
    orders = StandIn(len(STATES))
    result = await known.begin(fresh_executor(), {}, context_of(orders), None)
    assert result.errors is None
    return result.data["userHomestayOrderList"], orders


@pytest.mark.parametrize("name", ORDER.fields)
async def test_each_field_says_what_it_reads(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found, orders = await answer(f"{{ nodes {{ {selected(name)} }} }}")
    reads = facts.reads(ORDER.fields[name])
    assert reads is not None
    assert reads
    assert orders.only == [reads | {"id"}]
    monkeypatch.setattr(facts, "reads", lambda _: None)
    whole, orders = await answer(f"{{ nodes {{ {selected(name)} }} }}")
    assert orders.only == [None]
    assert found == whole


@pytest.mark.parametrize(
    ("selection", "columns"),
    [
        ("{ edges { cursor node { title } } }", frozenset({"title"})),
        ("{ nodes { sn } edges { node { remark } } }", frozenset({"sn", "remark"})),
        (
            "{ nodes { ... on Node { id } ... on HomestayOrder { nights } } }",
            {"sn", "live_start_date", "live_end_date"},
        ),
        ("{ nodes { title @skip(if: true) info @include(if: true) } }", frozenset({"info"})),
        ("{ nodes { __typename homestay { title sn: id } } }", frozenset({"homestay_id"})),
        ("{ totalCount pageInfo { endCursor } }", frozenset()),
    ],
)
async def test_all_that_is_selected_is_read_wherever_it_is(selection: str, columns: frozenset[str]) -> None:
    _, orders = await answer(selection)
    assert orders.only == [columns | {"id"}]


async def test_what_is_not_planned_is_whole() -> None:
    made, orders = schema.build(introspection=False), StandIn()
    for _ in range(2):
        context = context_of(orders)
        result = await made.execute("{ a: userHomestayOrderList { nodes { sn } } __typename }", context_value=context)
        assert result.errors is None
    assert orders.only == [None, None]


@any_database
async def test_a_page_has_these_columns_and_no_others(client: Client, database: Database) -> None:
    await client.place()
    ((whole,),) = await read_pages(database, [page_of(ANN, ALL, Window(limit=5))])
    only = frozenset({"id", "title", "live_start_date", "trade_state", "close_at", "need_food"})
    for _ in range(2):
        ((found,),) = await read_pages(database, [page_of(ANN, ALL, Window(limit=5), only)])
        assert found == tuple(getattr(whole, name) for name in Order._fields if name in only)
        assert (found.title, found.pay_before) == (whole.title, whole.pay_before)
        assert found.close_at is not None
        assert isinstance(found.live_start_date, date)
        for missing in ("remark", "nights"):
            with pytest.raises(AttributeError):
                getattr(found, missing)


@any_database
async def test_who_wants_something_that_is_no_column_gets_all(client: Client, database: Database) -> None:
    await client.place()
    ((found,),) = await read_pages(database, [page_of(ANN, ALL, Window(limit=5), frozenset({"id", "nights"}))])
    assert isinstance(found, Order)


async def test_an_order_is_the_only_thing_that_is_fetched_in_part() -> None:
    fetched = {
        name: facts.fetches(field.extensions[facts.DEFINITION])
        for type_ in (SCHEMA.query_type, SCHEMA.mutation_type)
        if type_ is not None
        for name, field in type_.fields.items()
    }
    assert {name: kind for name, kind in fetched.items() if kind} == {"userHomestayOrderList": types.HomestayOrder}
