"""What is asked for with every request, by statements that are made once: the same as by others."""

from dataclasses import fields
from datetime import date, timedelta
from random import Random
from typing import Any, Final

import sqlalchemy as sa

from domain.columns import table_of
from domain.database import Database
from domain.order import repository
from domain.order.models import Event, Order, OrderEvent
from domain.order.page_repository import OrderFilter, Window, read_pages
from domain.order.page_repository import page_of as page_wanted
from domain.order.states import CloseReason, SaleUnit, TradeState
from tests.conftest import NOW
from tests.order.rows import ORDERS, add, create_row

EVENTS: Final = table_of(OrderEvent)
GUESTS: Final = (7, 8, 2**40)
DAYS: Final = [date(2026, 6, 1) + timedelta(days=number) for number in range(10)]
COUNT: Final = 60
PAGES: Final = 150


def random_row(random: Random) -> dict[str, Any]:
    """An order of any kind, with the least and the most that its columns hold."""
    texts = ("", "Hof ✿ 庭院 🏡", 'it\'s \\ "quoted" %s :sn', "x" * 32)
    start = random.choice(DAYS)
    at = NOW - timedelta(seconds=random.randrange(10**6))
    return create_row(
        user_id=random.choice(GUESTS),
        homestay_id=random.choice((1, 2**63 - 1)),
        title=random.choice(texts),
        cover=random.choice(("", "https://example.com/a.jpg")),
        people_num=random.choice((1, 127)),
        row_type=random.choice(list(SaleUnit)),
        need_food=random.random() < 0.5,
        food_price=random.choice((0, 1, 2**62)),
        live_start_date=start,
        live_end_date=start + timedelta(days=random.randint(1, 30)),
        trade_state=random.choice(list(TradeState)),
        remark=random.choice(texts),
        create_time=at,
        update_time=at,
        close_at=random.choice((None, at + timedelta(milliseconds=random.randrange(10**6)))),
        close_reason=random.choice((None, *CloseReason)),
        payment_sn=random.choice(("", "PMT20260520120000ABCDEFGH")),
        checked_in_at=random.choice((None, at)),
    )


async def rows_of(database: Database, statement: sa.Select[Any]) -> list[sa.Row[Any]]:
    """The rows of a statement of this test's own."""
    return [*await database.read(lambda connection: connection.execute(statement))]


async def added(database: Database, row: dict[str, Any]) -> int:
    return await database.write(lambda connection: add(connection, row))


async def found(database: Database, sn: str, user_id: int | None) -> Order | None:
    return await database.read(lambda connection: repository.find(connection, sn, user_id=user_id))


async def steps_of(database: Database, sns: list[str]) -> list[Event]:
    return await database.read(lambda connection: repository.events(connection, sns))


async def page_of(database: Database, user_id: int, wanted: OrderFilter, window: Window) -> list[Order]:
    page: list[Order]
    (page,) = await read_pages(database, [page_wanted(user_id, wanted, window)])
    return page


def orders_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(*(ORDERS.c[name] for name in Order._fields)).where(ORDERS.c.del_state == 0, *conditions)


def random_window(random: Random, ids: list[int]) -> tuple[OrderFilter, Window]:
    wanted = OrderFilter(
        states=random.choice((None, frozenset(random.sample(list(TradeState), random.randint(0, 4))))),
        start_from=random.choice((None, random.choice(DAYS))),
        start_to=random.choice((None, random.choice(DAYS))),
    )
    window = Window(
        limit=random.choice((1, 3, 100)),
        after=random.choice((None, random.choice(ids))),
        before=random.choice((None, random.choice(ids))),
        backwards=random.random() < 0.5,
    )
    return wanted, window


def is_in(order: Order, user_id: int, wanted: OrderFilter, window: Window) -> bool:
    return (
        order.user_id == user_id
        and (wanted.states is None or order.trade_state in wanted.states)
        and (wanted.start_from is None or order.live_start_date >= wanted.start_from)
        and (wanted.start_to is None or order.live_start_date <= wanted.start_to)
        and (window.after is None or order.id < window.after)
        and (window.before is None or order.id > window.before)
    )


async def test_what_is_read_is_what_is_stored(database: Database) -> None:
    random = Random(7)  # noqa: S311 -- nobody has to guess it
    rows = [random_row(random) for _ in range(COUNT)]
    for row in rows:
        number = await added(database, row)
        (stored,) = await rows_of(database, orders_where(ORDERS.c.sn == row["sn"]))
        expected = Order(**stored._mapping)
        assert expected.id == number
        assert {name: getattr(expected, name, value) for name, value in row.items()} == row
        for user_id in (None, *GUESTS):
            theirs = user_id in {None, row["user_id"]}
            assert await found(database, row["sn"], user_id) == (expected if theirs else None)
    sns = [row["sn"] for row in rows]
    columns = [EVENTS.c[field.name] for field in fields(Event)]
    steps = [Event(**step._mapping) for step in await rows_of(database, sa.select(*columns).order_by(EVENTS.c.id))]
    assert len(steps) == COUNT
    for asked in ([], sns[:1], sns[10:30]):
        assert await steps_of(database, asked) == [step for step in steps if step.order_sn in asked]


async def test_a_page_is_what_the_conditions_say(database: Database) -> None:
    random = Random(8)  # noqa: S311 -- nobody has to guess it
    for _ in range(COUNT):
        await added(database, random_row(random))
    orders = [Order(**row._mapping) for row in await rows_of(database, orders_where().order_by(ORDERS.c.id.desc()))]
    sizes = set[int]()
    for _ in range(PAGES):
        user_id = random.choice(GUESTS)
        wanted, window = random_window(random, [order.id for order in orders])
        there = [order for order in orders if is_in(order, user_id, wanted, window)]
        page = await page_of(database, user_id, wanted, window)
        assert page == (there[-window.limit :] if window.backwards else there[: window.limit])
        sizes.add(len(page))
    assert {0, 1, 3} <= sizes
