"""How the databases would run the statements that grow with the tables: along an index, with nothing left to sort."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import product
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import utc_now
from domain.database import Database
from domain.order.page_repository import OrderFilter, Window, page_of, page_statement
from domain.order.repository import overdue_statement
from domain.order.states import TradeState
from tests.conftest import NOW
from tests.order.rows import GUEST, ORDERS, add_rows, create_row
from tests.plans import plan

GUESTS: Final = 250
# Few orders wait for payment: most guests pay, and the orders of the others close.
COMMON: Final = TradeState.USED
STATES: Final = [*TradeState, *[COMMON] * 14]
BY_USER: Final = "ix_homestay_order_user"
BY_USER_AND_STATE: Final = "ix_homestay_order_user_state"
DUE: Final = "ix_homestay_order_due"

# A guest with many orders, one after the other; as many of others are older as are newer.
HEAVY: Final = 9_000
ORDERS_OF_HEAVY: Final = 1_000
PAGE: Final = 20
STATES_ASKED: Final = (
    None,
    frozenset({COMMON}),
    frozenset({TradeState.WAIT_PAY}),
    frozenset({COMMON, TradeState.WAIT_USE}),
)


@pytest.fixture
async def full(database: Database) -> Database:
    """A few thousand orders: enough that a scan would cost something."""
    await add_rows(database, rows(range(20 * GUESTS)))
    await refresh(database)
    return database


@pytest.fixture
async def uneven(database: Database) -> Database:
    """As full, and in its middle the orders of one guest who has many."""
    await add_rows(database, rows(range(10 * GUESTS)))
    await add_rows(database, rows(range(20 * ORDERS_OF_HEAVY), user_id=HEAVY, every=20))
    await add_rows(database, rows(range(10 * GUESTS, 20 * GUESTS)))
    await refresh(database)
    return database


def rows(numbers: range, *, every: int = 1, **named: Any) -> Iterator[dict[str, Any]]:
    """Orders of all guests in turn, unless they are said to be one's."""
    for number in numbers[::every]:
        row = {
            "user_id": number % GUESTS,
            "trade_state": STATES[number // GUESTS % len(STATES)],
            "close_at": NOW + timedelta(seconds=number),
        }
        yield create_row(**(row | named))


async def refresh(database: Database) -> None:
    """Has the database look at what it holds."""
    statement = "analyze" if database.engine.dialect.name == "sqlite" else "analyze table homestay_order"
    await database.write(lambda connection: connection.execute(sa.text(statement)))


async def windows(database: Database) -> list[Window]:
    """The head of the list, and pages from its middle both ways."""
    middle = await database.read(lambda connection: connection.execute(sa.select(sa.func.avg(ORDERS.c.id))))
    edge = int(middle.scalar_one())
    return [Window(limit=20), Window(limit=20, after=edge), Window(limit=20, before=edge, backwards=True)]


async def test_a_guests_list_is_read_along_its_index(full: Database) -> None:
    for window in await windows(full):
        assert await plan(full, page_statement(page_of(GUEST, OrderFilter(), window))) == ({BY_USER}, ""), window


async def test_a_list_of_one_state_is_read_along_its_index(full: Database) -> None:
    for window in await windows(full):
        for state in TradeState:
            wanted = OrderFilter(states=frozenset({state}))
            index, vain = await plan(full, page_statement(page_of(GUEST, wanted, window)))
            assert vain == "", (state, window)
            # Where most of a guest's orders are wanted, one index is as good as the other.
            assert index == {BY_USER_AND_STATE} or (index == {BY_USER} and state is COMMON), (state, window)


async def test_a_list_of_several_states_is_read_along_an_index(full: Database) -> None:
    for state in (COMMON, TradeState.WAIT_PAY):
        wanted = OrderFilter(states=frozenset({state, TradeState.WAIT_USE}))
        for window in await windows(full):
            index, vain = await plan(full, page_statement(page_of(GUEST, wanted, window)))
            assert index in ({BY_USER}, {BY_USER_AND_STATE}), (state, window)
            # To sort a guest's few orders may cost less than to pass over the others.
            assert vain in {"", "filesort", "USE TEMP B-TREE FOR ORDER BY"}, (state, window)


async def test_the_overdue_are_found_along_their_index(full: Database) -> None:
    assert await plan(full, overdue_statement(utc_now(timedelta(seconds=10)), 200)) == ({DUE}, "")


async def places(database: Database, user_id: int) -> dict[str, int | None]:
    """Cursors of a guest's list, whoever made them."""

    async def look(connection: AsyncConnection) -> dict[str, int | None]:
        ids = sa.select(ORDERS.c.id).order_by(ORDERS.c.id)
        own = list((await connection.execute(ids.where(ORDERS.c.user_id == user_id))).scalars())
        others = list((await connection.execute(ids.where(ORDERS.c.user_id != user_id))).scalars())
        return {
            "none": None,
            "newer than all": 2**62,
            "the newest of all": max(own[-1], others[-1]),
            "its newest": own[-1],
            "its middle": own[len(own) // 2],
            "another guest's": others[len(others) // 2],
            "its oldest": own[0],
            "older than all": min(own[0], others[0]) - 1,
        }

    return await database.read(look)


def pages(cursors: Iterable[int | None]) -> Iterator[Window]:
    """Both ways from each cursor."""
    for cursor in cursors:
        yield Window(PAGE, after=cursor)
        yield Window(PAGE, before=cursor, backwards=True)
        yield Window(PAGE, after=cursor, backwards=True)
        yield Window(PAGE, before=cursor)


async def rows_read(database: Database, statement: sa.Select[Any]) -> int:
    """How many rows, and ends of rows, MariaDB looked at for a statement."""
    counts = sa.text("show session status where variable_name regexp 'handler_read_(first|key|last|next|prev|rnd)$'")

    async def work(connection: AsyncConnection) -> int:
        before = sum(int(row[1]) for row in await connection.execute(counts))
        (await connection.execute(statement)).all()
        return sum(int(row[1]) for row in await connection.execute(counts)) - before

    return await database.read(work)


def filters() -> Iterator[OrderFilter]:
    """Nothing, states, and days on which nobody stays: all that a page could pass over in vain."""
    for states in STATES_ASKED:
        yield OrderFilter(states=states)
        yield OrderFilter(states=states, start_from=NOW.date() + timedelta(days=900))


def most(wanted: OrderFilter, own: int) -> int:
    """The rows that a page may look at: its own, or the guest's, once to find and once to sort them. And ends."""
    return (PAGE if wanted == OrderFilter() else 2 * own) + 5


@pytest.mark.parametrize(("user_id", "own"), [(GUEST, 20), (HEAVY, ORDERS_OF_HEAVY)])
async def test_a_page_reads_no_other_guests_orders_wherever_it_begins(uneven: Database, user_id: int, own: int) -> None:
    for window, wanted in product(pages((await places(uneven, user_id)).values()), filters()):
        statement = page_statement(page_of(user_id, wanted, window))
        index, _ = await plan(uneven, statement)
        assert index <= {BY_USER, BY_USER_AND_STATE}, (window, wanted)
        if uneven.engine.dialect.name != "sqlite":
            assert await rows_read(uneven, statement) <= most(wanted, own), (window, wanted)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
async def test_a_guests_index_may_have_another_name_and_hold_the_guest_alone(uneven: Database) -> None:
    async def replace(old: str, new: str) -> None:
        change = sa.text(f"alter table homestay_order drop index {old}, add index {new}")
        await uneven.write(lambda connection: connection.execute(change))
        # It looks at a new index by itself, but when it likes: a plan made meanwhile is of nothing that it knows.
        await uneven.write(lambda connection: connection.execute(sa.text("analyze table homestay_order")))

    await replace(BY_USER, "theirs (user_id)")
    try:
        for window, wanted in product(pages((await places(uneven, HEAVY)).values()), filters()):
            statement = page_statement(page_of(HEAVY, wanted, window))
            assert await rows_read(uneven, statement) <= most(wanted, ORDERS_OF_HEAVY), (window, wanted)
    finally:
        await replace("theirs", f"{BY_USER} (user_id, id)")
