"""How often the database is asked for one order, and for many at once: a question costs more than its answer."""

import asyncio
from dataclasses import asdict

import pytest
import sqlalchemy as sa

from domain.columns import table_of
from domain.database import Database
from domain.mysql_driver import GuardedConnection
from domain.order import repository
from domain.order.idempotency import AT_ONCE, Key
from domain.order.models import IdempotencyKey
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.states import SaleUnit
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW, SHANGHAI
from tests.factories import create_homestay, create_stays
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.order.rows import GUEST, add_rows, create_row
from tests.plans import plan

KEYS = table_of(IdempotencyKey)
MANY = 40
# SQLite is no trip away, and tells its plans in other words.
a_server = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


@pytest.fixture
def room(database: Database, clock: FrozenClock, travel: FakeTravel) -> OrderRoom:
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW, max_unpaid=MANY)
    return assemble(database, clock, rules, travel=travel, payments=FakePayments(), timer=FakeTimer())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is sent to the server."""
    sent: list[str] = []
    sound = GuardedConnection._execute_command

    async def watch(connection: GuardedConnection, command: int, sql: str | bytes) -> None:
        sent.append(sql.decode() if isinstance(sql, bytes) else sql)
        await sound(connection, command, sql)

    monkeypatch.setattr(GuardedConnection, "_execute_command", watch)
    return sent


@a_server
@pytest.mark.parametrize(("unit", "trips"), [(SaleUnit.ROOM, 1), (SaleUnit.PERSON, 2)])
async def test_an_order_is_stored_in_so_many_trips(
    room: OrderRoom, travel: FakeTravel, asked: list[str], unit: SaleUnit, trips: int
) -> None:
    travel.offer(create_homestay(id=1, sale_unit=unit))
    first, second, third = create_stays(3)
    await room.orders.create(GUEST, first)
    asked.clear()
    await room.orders.create(GUEST, second)
    assert len(asked) == trips
    assert asked[0].startswith("BEGIN;")
    assert asked[-1].endswith(";COMMIT")
    asked.clear()
    await room.orders.create(GUEST, third, key="tap")
    assert len(asked) == trips + 1


@a_server
async def test_the_keys_of_many_requests_are_looked_for_together(room: OrderRoom, asked: list[str]) -> None:
    keys = [Key.of(guest, f"tap {guest}", "create", {}) for guest in range(1, MANY + 1)]
    await room.idempotency.find(keys[0])
    asked.clear()
    assert await asyncio.gather(*map(room.idempotency.find, keys)) == [None] * MANY
    assert len([sql for sql in asked if "homestay_idempotency_key" in sql]) == 2


async def test_of_keys_looked_for_together_each_is_found_for_itself(room: OrderRoom) -> None:
    stays = create_stays(MANY)
    made = {
        number: (await room.orders.create(GUEST, stay, key=f"tap {number}")).order
        for number, stay in enumerate(stays)
        if number % 3
    }
    again = await asyncio.gather(
        *(room.orders.create(GUEST + number % 2, stay, key=f"tap {number}") for number, stay in enumerate(stays)),
        return_exceptions=True,
    )
    for number, end in enumerate(again):
        if isinstance(end, BaseException):
            assert number % 2, end  # somebody else's key, and nights that are taken
        else:
            assert end.replayed is (number in made), number
            assert not end.replayed or end.order == made[number]


@a_server
async def test_orders_that_many_open_at_one_moment_are_read_in_one_trip(room: OrderRoom, asked: list[str]) -> None:
    orders = [(await room.orders.create(GUEST + number, stay)).order for number, stay in enumerate(create_stays(5))]
    asked.clear()
    found = await asyncio.gather(*(room.orders.find(order.user_id, order.sn) for order in orders))
    assert found == orders
    assert len(asked) == 1


async def test_of_orders_read_together_each_is_its_guests_alone(room: OrderRoom) -> None:
    orders = [
        (await room.orders.create(GUEST + number % 3, stay)).order for number, stay in enumerate(create_stays(MANY))
    ]
    wanted = [(GUEST + number % 2, order.sn) for number, order in enumerate(orders)]
    # The same order is asked for by its guest and by a stranger.
    wanted += [(GUEST + 9, orders[0].sn), (orders[0].user_id, orders[0].sn)]
    wanted += [*wanted[:3], (GUEST, "HSO20260520120000NOBODY00"), (GUEST, orders[0].sn.lower()), (GUEST, "")]
    found = await asyncio.gather(*(room.orders.find(user_id, sn) for user_id, sn in wanted))
    named = {(order.user_id, order.sn): order for order in orders}
    assert found == [named.get(each) for each in wanted]
    assert None in found


@a_server
@pytest.mark.parametrize("number", [2, 8, 32])
async def test_orders_read_together_are_found_by_their_numbers(database: Database, number: int) -> None:
    rows = [create_row(user_id=guest) for guest in range(5000)]
    await add_rows(database, rows)
    await database.write(lambda connection: connection.execute(sa.text("analyze table homestay_order")))
    values = {f"user{place}": row["user_id"] for place, row in enumerate(rows[:number])}
    values |= {f"sn{place}": row["sn"] for place, row in enumerate(rows[:number])}
    assert await plan(database, repository.several_statement(number).params(values)) == ({"sn"}, "")


@a_server
@pytest.mark.parametrize("number", AT_ONCE)
async def test_keys_are_looked_for_along_their_primary_key(room: OrderRoom, database: Database, number: int) -> None:
    keys = [Key.of(guest, f"tap {guest}", "create", {}) for guest in range(5000)]
    rows = [{**asdict(key), "order_sn": "HSO20260520120000NOBODY00", "created_at": NOW} for key in keys]
    await database.write(lambda connection: connection.execute(sa.insert(KEYS), rows))
    await database.write(lambda connection: connection.execute(sa.text("analyze table homestay_idempotency_key")))
    values: dict[str, object] = {f"user{place}": key.user_id for place, key in enumerate(keys[:number])}
    values |= {f"key{place}": key.key_hash for place, key in enumerate(keys[:number])}
    assert await plan(database, room.idempotency.kept_statement(number).params(values)) == ({"PRIMARY"}, "")
