"""A process that places orders is killed with -9 at any moment: who asks again with the same key finds the truth."""

import asyncio
import random
from typing import Final

from domain.database import Database
from domain.order.service import Orders
from tests.clock import FrozenClock
from tests.factories import create_stays
from tests.order.clerk import Clerk, Wish
from tests.order.rows import EVENTS, ORDERS, stored
from tests.order.tills import mistakes

ROUNDS: Final = 20
AT_ONCE: Final = 8


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def wishes(count: int) -> list[Wish]:
    return [(100 + number, stay, f"wish {number}") for number, stay in enumerate(create_stays(count))]


async def ask_again(orders: Orders, wanted: list[Wish]) -> dict[str, tuple[str, bool]]:
    """Of each key, the sn of its order, and whether it had been placed before."""
    found = {}
    for guest, stay, key in wanted:
        placed = await orders.create(guest, stay, key=key)
        found[key] = placed.order.sn, placed.replayed
    return found


async def exactly_these(database: Database, sns: set[str]) -> None:
    assert len(await stored(database, ORDERS)) == len(await stored(database, EVENTS)) == len(sns)
    assert {row["sn"] for row in await stored(database, ORDERS)} == sns
    assert await mistakes(database) == []


async def test_an_order_whose_clerk_died_between_commit_and_answer_is_found_by_its_key(
    database: Database, clock: FrozenClock, orders: Orders
) -> None:
    wanted = wishes(5)
    for wish in wanted:
        clerk = await asyncio.to_thread(Clerk, url_of(database), clock.at, dies_before_answering=True)
        clerk.place([wish])
        assert await asyncio.to_thread(clerk.kill, answers=1) == {}
    before = {row["sn"] for row in await stored(database, ORDERS)}
    found = await ask_again(orders, wanted)
    assert all(replayed for _, replayed in found.values())
    assert {sn for sn, _ in found.values()} == before
    await exactly_these(database, before)


async def test_clerks_are_killed_at_any_moment_and_no_order_is_lost_or_made_twice(
    database: Database, clock: FrozenClock, orders: Orders
) -> None:
    wanted, answered = wishes(ROUNDS * AT_ONCE), dict[str, str]()
    chance = random.Random(9)  # noqa: S311 -- no secret
    for turn in range(ROUNDS):
        clerk = await asyncio.to_thread(Clerk, url_of(database), clock.at)
        clerk.place(wanted[turn * AT_ONCE : (turn + 1) * AT_ONCE])
        answered |= await asyncio.to_thread(
            clerk.kill, answers=chance.randrange(AT_ONCE), after=chance.uniform(0, 0.02)
        )
    kept = {row["sn"] for row in await stored(database, ORDERS)}
    assert set(answered.values()) <= kept
    assert await mistakes(database) == []

    found = await ask_again(orders, wanted)
    assert {key: found[key] for key in answered} == {key: (sn, True) for key, sn in answered.items()}
    assert {sn for sn, replayed in found.values() if replayed} == kept
    await exactly_these(database, {sn for sn, _ in found.values()})
    print(  # noqa: T201
        f"{database.engine.dialect.name}: {len(wanted)} wished, {len(answered)} answered, {len(kept)} kept, 0 lost"
    )
    assert 0 < len(answered) < len(wanted)
