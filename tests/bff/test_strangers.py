"""Whatever of the schema a guest asks for, to its last field, nothing of another guest's order is in the answer."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
)

from bff.graph import ids
from domain.order.settling import Settling
from tests.bff.client import ANN, BOB, Client, any_database, guest
from tests.bff.prices import PRICE
from tests.bff.test_guests import SCHEMA, STREAMS, VALUES, is_asked, stream, value
from tests.fakes import FakePayments

MISSING: Final = "HSO20260520120000ABCDEFGH"
REMARK: Final = "nobody else is to read this"
# Has fields of the same names as an order, and of other types, so both can't be asked for in one place.
NOBODYS: Final = "Homestay"
# Arguments by which an order is meant.
MEANS_AN_ORDER: Final = {"sn", "id", "ids"}


def whole(kind: GraphQLNamedType, seen: set[str]) -> str:
    """Every field of a type, and of the types below it; notes which."""
    if is_leaf_type(kind):
        return ""
    parts = ["__typename"]
    if is_abstract_type(kind):
        possible = (each for each in SCHEMA.get_possible_types(kind) if each.name != NOBODYS)
        parts += [f"... on {each.name} {whole(each, seen)}" for each in possible]
    else:
        assert isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items():
            seen.add(f"{kind.name}.{name}")
            parts.append(f"{name} {whole(get_named_type(field.type), seen)}")
    return f"{{ {' '.join(parts)} }}"


def roots() -> Iterator[tuple[str, str, GraphQLField]]:
    for operation, root in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert root
        for name, field in root.fields.items():
            yield operation, name, field


def operation(kind: str, name: str, field: GraphQLField, sn: str, seen: set[str]) -> str:
    """All that a root field can answer, asked for with an order's number wherever one can be meant."""
    meant: Mapping[str, str] = {
        "sn": f'"{sn}"',
        "id": f'"{ids.global_id(ids.ORDER, sn)}"',
        "ids": f'["{ids.global_id(ids.ORDER, sn)}"]',
        "first": "3",
    }
    arguments = [
        f"{each}: {meant.get(each) or VALUES.get(f'{name}({each}:)') or value(each, argument.type)}"
        for each, argument in field.args.items()
        if is_asked(argument.type) or each in meant
    ]
    given = f"({', '.join(arguments)})" if arguments else ""
    return f"{kind} {{ {name}{given} {whole(get_named_type(field.type), seen)} }}"


ROOTS: Final = {name: (kind, name, field) for kind, name, field in roots()}


def test_every_field_of_the_schema_is_asked_for() -> None:
    seen: set[str] = set()
    for root in ROOTS.values():
        operation(*root, MISSING, seen)
    outer = {SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type}
    every = {
        f"{kind.name}.{name}"
        for kind in SCHEMA.type_map.values()
        if is_object_type(kind) and isinstance(kind, GraphQLObjectType)
        if kind not in outer and not kind.name.startswith("__")
        for name in kind.fields
    }
    assert seen == every


async def answer(client: Client, query: str, user: int) -> str:
    """An answer's text, with the same request id each time."""
    response = await client.post({"query": query}, user, {"X-Request-Id": "the-same"})
    assert "OPERATION_TOO_COMPLEX" not in response.text
    assert "GRAPHQL_" not in response.text
    return response.text


@pytest.fixture
async def secrets(client: Client, settling: Settling, payments: FakePayments) -> list[str]:
    """An order of Ann's that is paid: its number, and whatever else of it is nobody else's."""
    placed: dict[str, Any] = await client.place(
        ANN, remark=REMARK, liveStartDate="2026-07-01", liveEndDate="2026-07-03"
    )
    payments.pay(placed["sn"], PRICE)
    await settling.settle(placed["sn"])
    detail = f'{{ userHomestayOrderDetail(sn: "{placed["sn"]}") {{ tradeCode payment {{ sn }} }} }}'
    order = (await client.data(detail))["userHomestayOrderDetail"]
    return [placed["sn"], placed["id"], REMARK, order["tradeCode"], order["payment"]["sn"]]


@any_database
@pytest.mark.parametrize("name", ROOTS)
async def test_no_field_tells_another_guest_of_an_order(client: Client, secrets: list[str], name: str) -> None:
    sn = secrets[0]
    query = operation(*ROOTS[name], sn, set())
    own = await answer(client, query, ANN)
    assert any(secret in own for secret in secrets) == (name in TELLS)
    foreign = await answer(client, query, BOB)
    assert [secret for secret in secrets if secret in foreign] == []
    if MEANS_AN_ORDER & set(ROOTS[name][2].args):
        assert foreign == await answer(client, operation(*ROOTS[name], MISSING, set()), BOB)


@any_database
async def test_no_stream_tells_another_guest_of_an_order(client: Client, secrets: list[str]) -> None:
    assert STREAMS
    for operation in STREAMS.values():
        assert '"1"' in operation
        foreign, missing = [
            await stream(client, operation.replace('"1"', f'"{sn}"'), guest(BOB) | {"X-Request-Id": "the-same"})
            for sn in (secrets[0], MISSING)
        ]
        assert foreign == missing
        assert secrets[0] not in str(foreign)


# The fields that tell a guest of the guest's own order; all others have nothing of it to tell.
TELLS: Final = {"userHomestayOrderList", "userHomestayOrderDetail", "node", "nodes"}
