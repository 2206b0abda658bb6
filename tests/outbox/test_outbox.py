"""A letter from its writing to its end: written or not, somebody's or nobody's, delivered, tried again, or dead."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox as letters
from domain.database import Database
from domain.outbox import LEASE, LetterState, Outbox
from domain.outbox.models import MAX_ERROR
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.outbox.letters import OTHER, TOPIC, column, stored, write
from workers.clock import SystemClock

SECOND = timedelta(seconds=1)


def subjects(taken: list[letters.Letter]) -> list[str]:
    return [letter.subject for letter in taken]


async def test_what_is_written_waits_and_is_due_at_once(database: Database, clock: FrozenClock, outbox: Outbox) -> None:
    payload = {"sn": "HSO1", "amount": 2**53 - 1, "nested": {"who": ["客人", "🏡", None, True]}}
    await database.write(lambda connection: letters.add(connection, TOPIC, {"HSO1": payload}, clock.sql_now()))
    (letter,) = await outbox.take([TOPIC], 10)
    assert (letter.topic, letter.subject, letter.payload) == (TOPIC, "HSO1", payload)
    assert (letter.created_at, letter.due_at, letter.attempts) == (NOW, NOW + LEASE, 1)
    (row,) = await stored(database)
    assert (row["state"], row["due_at"], row["attempts"], row["error"]) == (LetterState.WAITING, NOW + LEASE, 1, "")


async def test_many_are_written_at_once_and_none_costs_nothing(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock)
    assert await stored(database) == []
    await write(database, clock, *(f"HSO{number}" for number in range(20)))
    assert len(await outbox.take([TOPIC], 100)) == 20
    assert {row["topic"] for row in await stored(database)} == {TOPIC}


async def test_a_letter_is_there_only_if_its_transaction_commits(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    async def work(connection: AsyncConnection) -> None:
        await letters.add(connection, TOPIC, {"HSO1": {}}, clock.sql_now())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(work)
    assert await stored(database) == []
    assert await outbox.take([TOPIC], 10) == []


async def test_what_is_taken_is_nobody_elses_until_the_lease_ends(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "HSO1")
    (first,) = await outbox.take([TOPIC], 10)
    clock.advance(LEASE - timedelta(milliseconds=1))
    assert await outbox.take([TOPIC], 10) == []
    clock.advance(timedelta(milliseconds=1))
    (second,) = await outbox.take([TOPIC], 10)
    assert (second.id, second.attempts, second.due_at) == (first.id, 2, first.due_at + LEASE)


async def test_only_the_wanted_topics_are_taken_longest_due_first_and_no_more_than_asked_for(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    for number in range(6):
        await write(database, clock, f"HSO{number}", topic=TOPIC if number % 2 else OTHER)
        clock.advance(SECOND)
    assert subjects(await outbox.take([TOPIC], 2)) == ["HSO1", "HSO3"]
    assert subjects(await outbox.take([OTHER, TOPIC], 3)) == ["HSO0", "HSO2", "HSO4"]
    assert subjects(await outbox.take(["order.gone"], 3)) == []
    assert subjects(await outbox.take([OTHER, TOPIC], 3)) == ["HSO5"]


async def test_of_many_takers_at_once_each_letter_is_one_takers(database: Database, clock: FrozenClock) -> None:
    await write(database, clock, *(f"HSO{number}" for number in range(40)))
    takers = [Outbox(database, clock) for _ in range(6)]
    taken = await asyncio.gather(*(taker.take([TOPIC], 15) for taker in takers))
    ids = [letter.id for batch in taken for letter in batch]
    assert len(ids) == len(set(ids))
    # Whoever finds all that it saw taken by others looks again: nobody goes away empty while letters are due.
    while more := await takers[0].take([TOPIC], 15):
        ids += [letter.id for letter in more]
    assert len(ids) == len(set(ids)) == 40


async def test_a_taker_that_was_beaten_to_a_full_batch_takes_the_next_one(
    database: Database, clock: FrozenClock
) -> None:
    await write(database, clock, *(f"HSO{number}" for number in range(4)))
    lost: list[str] = []

    class Slow(Database):
        async def read(self, work: Any) -> Any:
            found = await super().read(work)
            if not lost:
                lost.extend(subjects(await Outbox(database, clock).take([TOPIC], 2)))
            return found

    slow = Outbox(Slow(database.engine), clock)
    assert subjects(await slow.take([TOPIC], 2)) == ["HSO2", "HSO3"]
    assert lost == ["HSO0", "HSO1"]


async def test_what_has_arrived_comes_no_more(database: Database, clock: FrozenClock, outbox: Outbox) -> None:
    await write(database, clock, "HSO1", "HSO2")
    (letter,) = await outbox.take([TOPIC], 1)
    clock.advance(SECOND)
    await outbox.delivered(letter)
    assert await column(database, "state") == {"HSO1": LetterState.DELIVERED, "HSO2": LetterState.WAITING}
    assert (await column(database, "due_at"))["HSO1"] == NOW + SECOND
    clock.advance(timedelta(days=1))
    assert subjects(await outbox.take([TOPIC], 10)) == ["HSO2"]


async def test_what_is_put_off_comes_again_after_the_delay_and_not_before(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "HSO1")
    (letter,) = await outbox.take([TOPIC], 10)
    clock.advance(SECOND)
    await outbox.put_off(letter, delay=timedelta(seconds=2.5), error="no answer")
    assert await column(database, "error") == {"HSO1": "no answer"}
    clock.advance(timedelta(seconds=2.499))
    assert await outbox.take([TOPIC], 10) == []
    clock.advance(timedelta(seconds=0.001))
    (again,) = await outbox.take([TOPIC], 10)
    assert (again.attempts, again.created_at) == (2, NOW)


async def test_what_is_buried_is_kept_with_its_reason_and_comes_no_more(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "HSO1")
    (letter,) = await outbox.take([TOPIC], 10)
    clock.advance(SECOND)
    await outbox.bury(letter, error="💥" * 1000)
    clock.advance(timedelta(days=1))
    assert await outbox.take([TOPIC], 10) == []
    (dead,) = await outbox.dead()
    assert (dead.subject, dead.payload, dead.attempts) == ("HSO1", {"sn": "HSO1"}, 1)
    assert (dead.created_at, dead.died_at, dead.error) == (NOW, NOW + SECOND, "💥" * MAX_ERROR)


@pytest.mark.parametrize("end", ["delivered", "put_off", "bury"])
async def test_whoever_was_slower_than_its_lease_has_no_say_any_more(
    database: Database, clock: FrozenClock, outbox: Outbox, end: str
) -> None:
    await write(database, clock, "HSO1")
    (slow,) = await outbox.take([TOPIC], 10)
    clock.advance(LEASE)
    (new,) = await outbox.take([TOPIC], 10)
    before = await stored(database)
    match end:
        case "delivered":
            await outbox.delivered(slow)
        case "put_off":
            await outbox.put_off(slow, delay=SECOND, error="slow")
        case _:
            await outbox.bury(slow, error="slow")
    assert await stored(database) == before
    await outbox.delivered(new)
    assert await column(database, "state") == {"HSO1": LetterState.DELIVERED}


async def test_a_lease_that_ended_unnoticed_can_still_be_answered(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "HSO1")
    (letter,) = await outbox.take([TOPIC], 10)
    clock.advance(LEASE * 2)
    await outbox.delivered(letter)
    assert await column(database, "state") == {"HSO1": LetterState.DELIVERED}


async def test_a_finished_letter_stays_as_it_was_finished(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "HSO1")
    (letter,) = await outbox.take([TOPIC], 10)
    # At the very moment at which its lease ends: by its time alone it would still be its holder's.
    clock.advance(LEASE)
    await outbox.delivered(letter)
    before = await stored(database)
    await outbox.put_off(letter, delay=SECOND, error="late")
    await outbox.bury(letter, error="late")
    assert await stored(database) == before


async def test_a_claim_that_was_not_committed_is_no_claim(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "HSO1")

    def power_cut(_: object) -> None:
        raise RuntimeError

    def cut_claims(*execution: Any) -> None:
        if execution[2].startswith("UPDATE"):
            event.listen(database.engine.sync_engine, "commit", power_cut)

    event.listen(database.engine.sync_engine, "before_cursor_execute", cut_claims)
    with pytest.raises(RuntimeError):
        await outbox.take([TOPIC], 10)
    event.remove(database.engine.sync_engine, "before_cursor_execute", cut_claims)
    event.remove(database.engine.sync_engine, "commit", power_cut)
    assert [letter.attempts for letter in await outbox.take([TOPIC], 10)] == [1]


async def test_it_all_holds_by_the_databases_own_clock(database: Database) -> None:
    clock = SystemClock()
    outbox = Outbox(database, clock)
    before = clock.now() - SECOND
    await write(database, clock, "HSO1", "HSO2")
    first, second = await outbox.take([TOPIC], 10)
    assert before < first.created_at < clock.now() + SECOND
    assert LEASE <= first.due_at - first.created_at < LEASE + 5 * SECOND
    assert await outbox.take([TOPIC], 10) == []
    await outbox.put_off(first, delay=timedelta(seconds=0.3), error="")
    await outbox.delivered(second)
    assert await outbox.take([TOPIC], 10) == []
    await asyncio.sleep(0.35)
    (again,) = await outbox.take([TOPIC], 10)
    assert (again.id, again.attempts) == (first.id, 2)
