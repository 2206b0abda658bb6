import base64
from typing import Final, Protocol

import pytest

from bff.graph import ids
from domain.order.service import Orders
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client, Json, any_database
from tests.factories import create_stays

# More than any of these tests places.
MANY: Final = 200


class Place(Protocol):
    async def __call__(self, count: int, user: int = ANN) -> list[str]:
        """Places orders and returns their sn's, newest first as a list has them."""
        ...


@pytest.fixture
def place(orders: Orders) -> Place:
    stays = iter(create_stays(MANY))

    async def place(count: int, user: int = ANN) -> list[str]:
        return [(await orders.create(user, next(stays))).order.sn for _ in range(count)][::-1]

    return place


async def page(client: Client, **variables: object) -> Json:
    connection: Json = (await client.data(documents.LIST, variables))["userHomestayOrderList"]
    assert [edge["node"] for edge in connection["edges"]] == connection["nodes"]
    return connection


def sns(connection: Json) -> list[str]:
    return [node["sn"] for node in connection["nodes"]]


async def test_a_list_goes_on_page_by_page_to_its_end(client: Client, place: Place) -> None:
    placed = await place(5)
    first = await page(client, first=2)
    second = await page(client, first=2, after=first["pageInfo"]["endCursor"])
    third = await page(client, first=2, after=second["pageInfo"]["endCursor"])
    assert [sns(each) for each in (first, second, third)] == [placed[:2], placed[2:4], placed[4:]]
    assert [each["pageInfo"]["hasNextPage"] for each in (first, second, third)] == [True, True, False]
    assert [each["pageInfo"]["hasPreviousPage"] for each in (first, second, third)] == [False, True, True]
    assert [each["totalCount"] for each in (first, second, third)] == [5, 5, 5]


async def test_a_list_goes_back_page_by_page_to_its_beginning(client: Client, place: Place) -> None:
    placed = await place(5)
    last = await page(client, last=2)
    middle = await page(client, last=2, before=last["pageInfo"]["startCursor"])
    first = await page(client, last=2, before=middle["pageInfo"]["startCursor"])
    assert [sns(each) for each in (first, middle, last)] == [placed[:1], placed[1:3], placed[3:]]
    assert [each["pageInfo"]["hasPreviousPage"] for each in (first, middle, last)] == [False, True, True]
    assert [each["pageInfo"]["hasNextPage"] for each in (first, middle, last)] == [True, True, False]


async def test_orders_placed_meanwhile_shift_no_page(client: Client, place: Place) -> None:
    placed = await place(4)
    first = await page(client, first=2)
    newer = await place(2)
    assert sns(await page(client, first=2, after=first["pageInfo"]["endCursor"])) == placed[2:]
    assert sns(await page(client, first=2, before=first["pageInfo"]["startCursor"])) == newer


async def test_a_walk_under_new_orders_meets_each_order_once(client: Client, place: Place) -> None:
    placed = await place(30)
    met: list[str] = []
    cursor = None
    while cursor or not met:
        connection = await page(client, first=7, after=cursor)
        met += sns(connection)
        await place(2)
        cursor = connection["pageInfo"]["endCursor"] if connection["pageInfo"]["hasNextPage"] else None
    assert met == placed


async def test_each_edge_has_a_cursor_of_its_own_that_leads_on(client: Client, place: Place) -> None:
    placed = await place(3)
    connection = await page(client)
    cursors = [edge["cursor"] for edge in connection["edges"]]
    assert (connection["pageInfo"]["startCursor"], connection["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    assert [sns(await page(client, after=cursor)) for cursor in cursors] == [placed[1:], placed[2:], []]


async def test_an_empty_page_has_no_cursors(client: Client) -> None:
    assert await page(client) == {
        "edges": [],
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
        "totalCount": 0,
    }


@any_database
@pytest.mark.parametrize("arguments", [{}, {"first": None}], ids=str)
async def test_a_page_has_twenty_orders_unless_said_otherwise(client: Client, place: Place, arguments: Json) -> None:
    placed = await place(21)
    assert sns(await page(client, **arguments)) == placed[:20]


@any_database
async def test_a_page_has_at_most_a_hundred_orders(client: Client, place: Place) -> None:
    placed = await place(101)
    assert sns(await page(client, first=100)) == placed[:100]
    assert sns(await page(client, last=100)) == placed[1:]


async def test_a_guest_sees_nobody_elses_orders(client: Client, place: Place) -> None:
    await place(2, BOB)
    placed = await place(1)
    others = await place(1, BOB)
    connection = await page(client)
    assert sns(connection) == placed
    assert connection["totalCount"] == 1
    # Whoever finds another guest's place in the list gets to see their own orders from there on.
    cursor = (await client.data(documents.LIST, {"first": 1}, BOB))["userHomestayOrderList"]["pageInfo"]["endCursor"]
    assert others
    assert sns(await page(client, after=cursor)) == placed


async def test_nothing_is_counted_unless_asked_for(client: Client, place: Place, statements: list[str]) -> None:
    await place(1)
    statements.clear()  # placing counts the orders that are unpaid
    await client.data("{ userHomestayOrderList { nodes { sn } pageInfo { hasNextPage endCursor } } }")
    assert not any("count(" in statement.lower() for statement in statements)
    await client.data("{ userHomestayOrderList { totalCount } }")
    assert any("count(" in statement.lower() for statement in statements)


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


SIZES = [0, -1, 101, 2**31 - 1, -(2**31)]

CURSORS = [
    "",
    "rubbish",
    "5",
    "☃",
    "x" * 60_000,
    packed("5"),
    packed("order:"),
    packed("order:0"),
    packed("order:-1"),
    packed("order:5.0"),
    packed("order:\N{ARABIC-INDIC DIGIT FIVE}"),
    packed("order:9223372036854775808"),
    packed("arrayconnection:5"),
    ids.global_id(ids.ORDER, 5),
]


@any_database
@pytest.mark.parametrize(
    ("argument", "values"), [("first", SIZES), ("last", SIZES), ("after", CURSORS), ("before", CURSORS)]
)
async def test_a_page_that_cannot_be_is_refused(
    client: Client, argument: str, values: list[object], statements: list[str]
) -> None:
    for value in values:
        error = await client.error(documents.LIST, {argument: value})
        assert error["path"] == ["userHomestayOrderList"], ascii(value)[:40]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["extensions"]["field"] == [argument]
    assert statements == []


@any_database
async def test_a_size_beyond_the_schemas_integers_is_refused(client: Client) -> None:
    error = await client.error(documents.LIST, {"first": 2**31})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
