import base64

from domain.order.states import SaleUnit
from tests.bff import documents
from tests.bff.client import BOB, Client, Json, any_database
from tests.bff.prices import yuan
from tests.factories import create_homestay
from tests.fakes import FakeTravel


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


GARBAGE = [
    "",
    "1",
    "☃",
    "not base64",
    "x" * 60_000,
    packed("HomestayOrder"),
    packed("HomestayOrder:"),
    packed("HomestayOrder:HSO20260520120000ABCDEFGH"),
    packed("Homestay:"),
    packed("Homestay:0"),
    packed("Homestay:-1"),
    packed("Homestay:9223372036854775808"),
    packed("Homestay:404"),
    packed("Payment:1"),
    packed("order:1"),
    packed("☃:1"),
]


NO_HOMESTAYS = [
    "",
    "x",
    "0",
    "-1",
    "1.0",
    "+1",
    " 1",
    "1 ",
    "\N{FULLWIDTH DIGIT ONE}",
    "9223372036854775808",
    "1" * 60_000,
    packed("HomestayOrder:1"),
]


async def test_an_order_is_found_again_by_its_global_id(client: Client) -> None:
    order = await client.place()
    node = (await client.data(documents.NODE, {"id": order["id"]}))["node"]
    assert node == {"__typename": "HomestayOrder", "id": order["id"], "sn": order["sn"]}


async def test_another_guests_order_is_no_node(client: Client) -> None:
    order = await client.place()
    assert await client.data(documents.NODE, {"id": order["id"]}, BOB) == {"node": None}
    assert await client.data(documents.NODES, {"ids": [order["id"]]}, BOB) == {"nodes": [None]}


@any_database
async def test_a_homestay_is_found_again_by_its_global_id(client: Client) -> None:
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    node = (await client.data(documents.NODE, {"id": homestay["id"]}))["node"]
    assert node == {
        "__typename": "Homestay",
        "id": homestay["id"],
        "homestayId": 1,
        "title": "Courtyard House",
    }


async def test_nodes_come_in_the_order_of_their_ids(client: Client) -> None:
    order = await client.place()
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    asked = [homestay["id"], "garbage", order["id"], homestay["id"]]
    nodes = (await client.data(documents.NODES, {"ids": asked}))["nodes"]
    assert [node and node["id"] for node in nodes] == [homestay["id"], None, order["id"], homestay["id"]]


@any_database
async def test_what_names_nothing_is_null(client: Client) -> None:
    for value in GARBAGE:
        assert await client.data(documents.NODE, {"id": value}) == {"node": None}, ascii(value[:40])


@any_database
async def test_a_homestay_is_found_by_its_number_and_by_its_global_id(client: Client) -> None:
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    assert await client.data(documents.HOMESTAY_BY_ID, {"id": homestay["id"]}) == {"homestay": homestay}
    assert await client.data("{ homestay(id: 1) { homestayId } }") == {"homestay": {"homestayId": 1}}
    assert homestay.pop("id")
    assert homestay == {
        "homestayId": 1,
        "title": "Courtyard House",
        "subTitle": "Two steps from the Drum Tower",
        "cover": "https://example.com/cover.jpg",
        "banner": ["https://example.com/cover.jpg", "https://example.com/yard.jpg"],
        "info": "A quiet yard.",
        "peopleNum": 4,
        "saleUnit": "ROOM",
        "onShelf": True,
        "homestayPrice": yuan(29900, "299.00"),
        "marketHomestayPrice": yuan(39900, "399.00"),
        "foodInfo": "Breakfast and dinner.",
        "foodPrice": yuan(3000, "30.00"),
    }


@any_database
async def test_a_homestay_off_the_shelf_or_without_pictures_is_still_shown(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2, on_shelf=False, banner=(), sale_unit=SaleUnit.PERSON))
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "2"}))["homestay"]
    assert (homestay["onShelf"], homestay["saleUnit"]) == (False, "PERSON")
    assert (homestay["cover"], homestay["banner"]) == (None, [])


@any_database
async def test_a_homestay_that_is_missing_is_null(client: Client) -> None:
    assert await client.data(documents.HOMESTAY_BY_ID, {"id": "404"}) == {"homestay": None}
    assert await client.data(documents.HOMESTAY_BY_ID, {"id": packed("Homestay:404")}) == {"homestay": None}


@any_database
async def test_what_cannot_be_a_homestays_id_is_refused(client: Client, travel: FakeTravel) -> None:
    for value in NO_HOMESTAYS:
        error = await client.error_at("homestay", documents.HOMESTAY_BY_ID, {"id": value})
        assert error["extensions"]["code"] == "BAD_USER_INPUT", ascii(value[:40])
        assert error["extensions"]["field"] == ["id"]
    assert travel.asked == []


@any_database
async def test_a_hundred_nodes_may_be_asked_for_and_no_more(client: Client, travel: FakeTravel) -> None:
    ids: Json = {"ids": [packed(f"Homestay:{number}") for number in range(1, 101)]}
    assert len((await client.data(documents.NODES, ids))["nodes"]) == 100
    travel.asked.clear()
    ids["ids"].append(packed("Homestay:101"))
    error = await client.error(documents.NODES, ids)
    assert error["path"] == ["nodes"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"] == ["ids"]
    assert travel.asked == []


@any_database
async def test_no_nodes_are_none(client: Client) -> None:
    assert await client.data(documents.NODES, {"ids": []}) == {"nodes": []}
