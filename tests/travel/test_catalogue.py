"""The demo catalogue: what is in it, and that it never gets in anybody's way."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.database import Database
from domain.money import Fen
from domain.travel import repository
from domain.travel.catalogue import DEMO, seed
from domain.travel.models import WIDTHS, Homestay, SaleUnit, Shelf, StoredHomestay

HOMESTAYS = table_of(StoredHomestay)


async def stored(database: Database) -> dict[int, Homestay]:
    async def work(connection: AsyncConnection) -> dict[int, Homestay]:
        ids = (await connection.execute(select(HOMESTAYS.c.id))).scalars().all()
        found = [await repository.find(connection, homestay_id) for homestay_id in ids]
        return {homestay.id: homestay for homestay in found if homestay is not None}

    return await database.read(work)


async def count(database: Database) -> int:
    async def work(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(HOMESTAYS))).scalar_one())

    return await database.read(work)


async def test_an_empty_table_is_filled_with_every_homestay_as_it_is_listed(database: Database) -> None:
    assert await seed(database) is True
    assert await stored(database) == {homestay.id: homestay for homestay in DEMO}


async def test_a_second_seed_changes_nothing(database: Database) -> None:
    await seed(database)

    async def raise_a_price(connection: AsyncConnection) -> None:
        await connection.execute(update(HOMESTAYS).where(HOMESTAYS.c.id == 1).values(homestay_price=1))

    await database.write(raise_a_price)
    assert await seed(database) is False
    assert (await stored(database))[1].homestay_price == 1


async def test_a_table_with_somebody_elses_homestay_is_left_alone(database: Database) -> None:
    async def one_of_ours(connection: AsyncConnection) -> None:
        await connection.execute(insert(HOMESTAYS).values(id=77, title="Ours"))

    await database.write(one_of_ours)
    assert await seed(database) is False
    assert list(await stored(database)) == [77]


async def test_a_table_whose_homestays_are_all_deleted_is_left_alone(database: Database) -> None:
    async def deleted(connection: AsyncConnection) -> None:
        await connection.execute(insert(HOMESTAYS).values(id=77, title="Ours", del_state=1))

    await database.write(deleted)
    assert await seed(database) is False
    assert await count(database) == 1


async def test_only_one_of_several_processes_that_start_at_once_fills_the_table(database: Database) -> None:
    for _ in range(10):
        await database.write(lambda connection: connection.execute(delete(HOMESTAYS)))
        assert sorted(await asyncio.gather(*(seed(database) for _ in range(5)))) == [False] * 4 + [True]
        assert await count(database) == len(DEMO)


async def test_a_seed_that_finds_its_ids_taken_gives_way(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the slower of two processes sees, whatever the timing: the table was empty when it looked.
    async def looks_empty(connection: AsyncConnection) -> bool:  # noqa: ARG001 -- stands in for the real question
        return True

    await seed(database)
    monkeypatch.setattr(repository, "is_empty", looks_empty)
    assert await seed(database) is False
    assert await count(database) == len(DEMO)


async def test_the_table_itself_fills_what_a_row_leaves_out(database: Database) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    await database.write(lambda connection: connection.execute(insert(HOMESTAYS).values(id=5)))

    columns = (HOMESTAYS.c.create_time, HOMESTAYS.c.update_time, HOMESTAYS.c.del_state, HOMESTAYS.c.version)
    rows = await database.read(lambda connection: connection.execute(select(*columns)))
    created, updated, del_state, version = rows.one()
    assert before <= created == updated <= datetime.now(UTC)
    assert (del_state, version) == (0, 0)
    assert (await stored(database))[5] == Homestay(
        id=5,
        title="",
        sub_title="",
        banner="",
        info="",
        people_num=0,
        homestay_business_id=0,
        user_id=0,
        row_state=Shelf.OFF,
        row_type=SaleUnit.ROOM,
        food_info="",
        food_price=Fen(0),
        homestay_price=Fen(0),
        market_homestay_price=Fen(0),
    )


def test_the_first_three_are_those_that_are_promised() -> None:
    one, two, three = DEMO[:3]
    assert (one.id, one.row_state, one.row_type, one.people_num) == (1, Shelf.ON, SaleUnit.ROOM, 4)
    assert (one.homestay_price, one.food_price) == (29_900, 3_000)
    assert one.market_homestay_price > one.homestay_price
    assert (two.id, two.row_state, two.row_type, two.people_num) == (2, Shelf.ON, SaleUnit.PERSON, 6)
    assert (three.id, three.row_state) == (3, Shelf.OFF)


def test_there_is_a_choice_of_homestays_on_sale() -> None:
    assert len([homestay for homestay in DEMO if homestay.row_state is Shelf.ON]) >= 5
    assert len({homestay.id for homestay in DEMO}) == len(DEMO)


@pytest.mark.parametrize("homestay", DEMO, ids=lambda homestay: str(homestay.id))
def test_each_makes_sense_and_fits_the_table(homestay: Homestay) -> None:
    for name, width in WIDTHS.items():
        assert len(getattr(homestay, name)) <= width
    assert homestay.title
    assert homestay.sub_title
    assert homestay.info
    assert all(url.startswith("https://example.com/") for url in homestay.banner.split(","))
    assert 1 <= homestay.people_num <= 127
    assert homestay.homestay_business_id > 0
    assert homestay.user_id > 0
    assert 0 < homestay.homestay_price <= homestay.market_homestay_price
    assert bool(homestay.food_info) == bool(homestay.food_price)
