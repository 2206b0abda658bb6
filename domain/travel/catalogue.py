"""A few homestays to try the product with. They go into an empty table only, never over what is there."""

from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import Database
from domain.money import Fen
from domain.travel import repository
from domain.travel.models import Homestay, SaleUnit, Shelf


def _pictures(homestay: str, *names: str) -> str:
    return ",".join(f"https://example.com/homestays/{homestay}/{name}.jpg" for name in names)


DEMO: Final = (
    Homestay(
        id=1,
        title="Courtyard House near Drum Tower",
        sub_title="A grey-brick hutong courtyard with two bedrooms, an old jujube tree and breakfast under it",
        banner=_pictures("drum-tower", "courtyard", "bedroom", "breakfast"),
        info=(
            "The house stands in a quiet lane ten minutes on foot from the Drum Tower. Two bedrooms open onto the "
            "courtyard; there is underfloor heating in winter and shade in summer. Your hosts live next door and "
            "lend bicycles."
        ),
        people_num=4,
        homestay_business_id=1,
        user_id=101,
        row_state=Shelf.ON,
        row_type=SaleUnit.ROOM,
        food_info="Breakfast with millet porridge and sesame flatbread; a home-cooked supper at seven.",
        food_price=Fen(30_00),
        homestay_price=Fen(299_00),
        market_homestay_price=Fen(399_00),
    ),
    Homestay(
        id=2,
        title="Bunkhouse on the Rice Terraces",
        sub_title="Six wooden bunks above the Longji terraces, sold bed by bed to walkers",
        banner=_pictures("longji", "terraces", "bunks"),
        info=(
            "A timber house of the Zhuang people, an hour's walk above the last road. One room with six bunks, two "
            "hot showers and a veranda that looks east over the terraces. A porter carries luggage on request."
        ),
        people_num=6,
        homestay_business_id=2,
        user_id=102,
        row_state=Shelf.ON,
        row_type=SaleUnit.PERSON,
        food_info="Bamboo rice, mountain greens and smoked pork, at one long table.",
        food_price=Fen(45_00),
        homestay_price=Fen(88_00),
        market_homestay_price=Fen(120_00),
    ),
    Homestay(
        id=3,
        title="Boathouse on Erhai Lake",
        sub_title="Closed while its roof is mended; it takes guests again next season",
        banner=_pictures("erhai", "jetty"),
        info="Two rooms over the water at the north end of the lake, with a jetty and a rowing boat.",
        people_num=4,
        homestay_business_id=2,
        user_id=102,
        row_state=Shelf.OFF,
        row_type=SaleUnit.ROOM,
        food_info="",
        food_price=Fen(0),
        homestay_price=Fen(420_00),
        market_homestay_price=Fen(520_00),
    ),
    Homestay(
        id=4,
        title="Tea Farm in Dragon Well Village",
        sub_title="A whitewashed farmhouse between tea rows, half an hour by bus from West Lake",
        banner=_pictures("dragon-well", "tea-rows", "kitchen", "garden"),
        info=(
            "The family has grown tea here for four generations and lets the upper floor: one large room with a "
            "double bed and a balcony. In April guests may pick and roast a basket of their own."
        ),
        people_num=2,
        homestay_business_id=3,
        user_id=103,
        row_state=Shelf.ON,
        row_type=SaleUnit.ROOM,
        food_info="Breakfast, and a supper from the garden; vegetarian whenever you like.",
        food_price=Fen(38_00),
        homestay_price=Fen(368_00),
        market_homestay_price=Fen(458_00),
    ),
    Homestay(
        id=5,
        title="Cave House near Yan'an",
        sub_title="A vaulted loess cave home, cool in July and warm in January, with a heated kang bed",
        banner=_pictures("yanan", "front", "kang"),
        info=(
            "Three vaults cut into the yellow earth, joined by a low passage. The wide kang sleeps a family of "
            "five; paper cuttings in the windows are the grandmother's work, and she teaches them."
        ),
        people_num=5,
        homestay_business_id=4,
        user_id=104,
        row_state=Shelf.ON,
        row_type=SaleUnit.ROOM,
        food_info="Hand-pulled buckwheat noodles, mutton soup and dates.",
        food_price=Fen(25_00),
        homestay_price=Fen(198_00),
        market_homestay_price=Fen(198_00),
    ),
    Homestay(
        id=6,
        title="Stone Cottage on Dongji Island",
        sub_title="A fisherman's cottage at the end of the ferry line; the sun rises here first",
        banner=_pictures("dongji", "cottage", "harbour", "sunrise"),
        info=(
            "Thick granite walls, blue shutters and the sound of the sea. Three rooms for up to eight guests. The "
            "ferry runs twice a day when the wind allows; if it does not, you stay another night as our guests."
        ),
        people_num=8,
        homestay_business_id=5,
        user_id=105,
        row_state=Shelf.ON,
        row_type=SaleUnit.ROOM,
        food_info="The day's catch, steamed, with rice and seaweed soup.",
        food_price=Fen(68_00),
        homestay_price=Fen(680_00),
        market_homestay_price=Fen(880_00),
    ),
)


async def seed(database: Database) -> bool:
    """Fills an empty table with the demo homestays.

    Returns:
        False where there were homestays already, or another process was faster.
    """

    async def fill(connection: AsyncConnection) -> bool:
        if not await repository.is_empty(connection):
            return False
        await repository.add(connection, DEMO)
        return True

    try:
        return await database.write(fill)
    except IntegrityError:
        # Both saw an empty table. The ids are the same ones, so only one of the two could store them.
        return False
