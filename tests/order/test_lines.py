"""A page as lines of texts has the orders that it has as values; pages that are read together are those read alone."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import pytest
import sqlalchemy as sa

from domain.database import Database
from domain.order.lines import SEPARATOR, Lines
from domain.order.models import Order
from domain.order.page_repository import OrderFilter, Page, Window, can_write_lines, page_of, read_pages
from domain.order.service import SHARED_UP_TO, Orders
from tests.order.rows import ORDERS, add_rows, create_row
from tests.order.test_hot_statements import DAYS, GUESTS, random_row, random_window

ALL: Final = OrderFilter()
TIMES: Final = 60

mariadb_only = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


@pytest.fixture
async def ids(database: Database) -> list[int]:
    """Orders of every kind, of a few guests; their ids."""
    random = Random(11)  # noqa: S311 -- nobody has to guess it
    await add_rows(database, (random_row(random) for _ in range(120)))
    found = await database.read(lambda connection: connection.execute(sa.select(ORDERS.c.id)))
    return [*found.scalars()]


async def alone(database: Database, page: Page) -> Any:
    (found,) = await read_pages(database, [page])
    return found


async def alter(database: Database, changes: Sequence[str]) -> None:
    statement = sa.text(f"alter table homestay_order {', '.join(changes)}")
    await database.write(lambda connection: connection.execute(statement))


def whole(page: Any) -> list[Order]:
    return [*page.orders()] if isinstance(page, Lines) else page


def random_columns(random: Random) -> frozenset[str]:
    return frozenset({"id", *random.sample(Order._fields, random.randint(0, 8))})


@mariadb_only
async def test_lines_have_the_orders_that_there_are(database: Database, ids: list[int]) -> None:
    random = Random(12)  # noqa: S311 -- nobody has to guess it
    seen = 0
    for _ in range(TIMES):
        guest, (wanted, window) = random.choice(GUESTS), random_window(random, ids)
        only = random.choice((random_columns(random), frozenset(Order._fields)))
        orders = await alone(database, page_of(guest, wanted, window, only))
        lines = await alone(database, page_of(guest, wanted, window, only, as_lines=True))
        assert isinstance(lines, Lines)
        assert [*lines.orders()] == orders
        assert [lines.id_at(place) for place in range(len(lines))] == [order.id for order in orders]
        assert [*lines.part(slice(1, 3)).orders()] == orders[1:3]
        seen += len(orders)
    assert seen > TIMES


async def test_pages_that_are_read_together_are_those_read_alone(database: Database, ids: list[int]) -> None:
    random = Random(13)  # noqa: S311 -- nobody has to guess it
    shapes: dict[Any, list[Page]] = {}
    for as_lines in (False, *([True] if can_write_lines(database) else ())):
        for _ in range(4 * TIMES):
            wanted, window = random_window(random, ids)
            page = page_of(random.choice(GUESTS), wanted, window, as_lines=as_lines)
            shapes.setdefault(page.shape, []).append(page)
    assert max(map(len, shapes.values())) > 2
    for pages in shapes.values():
        together = await read_pages(database, pages)
        assert [*map(whole, together)] == [whole(await alone(database, page)) for page in pages]


@mariadb_only
@pytest.mark.usefixtures("ids")
async def test_the_order_of_a_page_does_not_hang_on_that_of_the_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {
        as_lines: [page_of(guest, ALL, Window(limit=9), as_lines=as_lines) for guest in GUESTS]
        for as_lines in (False, True)
    }
    expected = {as_lines: await read_pages(database, each) for as_lines, each in pages.items()}
    fetch = database.fetch_each

    async def shuffled(*args: Any) -> list[Any]:
        rows = [*await fetch(*args)]
        Random(14).shuffle(rows)  # noqa: S311 -- nobody has to guess it
        return rows

    monkeypatch.setattr(database, "fetch_each", shuffled)
    assert {as_lines: await read_pages(database, each) for as_lines, each in pages.items()} == expected


@mariadb_only
async def test_a_text_that_ends_another_has_its_page_read_otherwise(database: Database) -> None:
    await add_rows(
        database,
        [
            create_row(user_id=1, title=f"Court{SEPARATOR}yard"),
            create_row(user_id=2, remark="it's \\ 庭院 🏡 \x1e\x00"),
            create_row(user_id=1),
        ],
    )
    pages = [page_of(guest, ALL, Window(limit=5), as_lines=True) for guest in (1, 2, 3)]
    broken, good, empty = await read_pages(database, pages)
    assert broken is None
    assert [order.remark for order in good.orders()] == ["it's \\ 庭院 🏡 \x1e\x00"]
    assert [*empty.orders()] == []
    assert len(empty) == 0


@mariadb_only
async def test_tables_of_other_character_sets_have_the_same_lines(database: Database) -> None:
    await add_rows(database, [create_row(user_id=1, title="庭院", remark="café")])
    page = page_of(1, ALL, Window(limit=5), as_lines=True)
    expected = await alone(database, page)
    changes = (
        "modify title varchar(32) character set gbk not null default ''",
        "modify remark varchar(64) character set latin1 not null default ''",
        "modify info varchar(4069) character set utf8mb3 not null default ''",
    )
    back = (
        "modify title varchar(32) not null default ''",
        "modify remark varchar(64) not null default ''",
        "modify info varchar(4069) not null default ''",
    )
    try:
        await alter(database, changes)
        assert await alone(database, page) == expected
    finally:
        await alter(database, back)


@pytest.mark.usefixtures("ids")
async def test_pages_of_one_moment_take_one_trip_and_a_long_one_its_own(
    database: Database, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = OrderFilter(start_to=DAYS[4])
    wanted = [(guest, ALL, Window(limit=limit)) for guest in GUESTS for limit in (3, SHARED_UP_TO, SHARED_UP_TO + 1)]
    wanted += [(guest, early, Window(limit=3)) for guest in GUESTS[:2]]
    expected = [await orders.page(*each) for each in wanted]
    trips = list[int]()
    fetch = database.fetch_each

    async def counted(statement: Any, values: Sequence[Any]) -> Any:
        trips.append(len(values))
        return await fetch(statement, values)

    monkeypatch.setattr(database, "fetch_each", counted)
    assert await asyncio.gather(*(orders.page(*each) for each in wanted)) == expected
    assert sorted(trips) == [1, 1, 1, 2, 6]
