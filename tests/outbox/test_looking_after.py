"""What people and jobs do with letters that nobody delivers any more."""

import asyncio
from datetime import timedelta

import pytest

from domain.database import Database
from domain.outbox import LetterState, Outbox
from domain.outbox import service as outbox_service
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.outbox.letters import OTHER, TOPIC, column, stored, write

WAITING, DELIVERED, DEAD = LetterState
DAY = timedelta(days=1)


@pytest.fixture
async def ids(database: Database, clock: FrozenClock, outbox: Outbox) -> dict[str, int]:
    """Four letters: two dead, one that arrived, one that waits. Their ids, by subject."""
    await write(database, clock, "dead1", "dead2", "arrived", "waits")
    for letter in await outbox.take([TOPIC], 3):
        if letter.subject == "arrived":
            await outbox.delivered(letter)
        else:
            await outbox.bury(letter, error=f"{letter.subject} is no good")
    return await column(database, "id")


async def test_the_dead_are_listed_oldest_first(outbox: Outbox, ids: dict[str, int]) -> None:
    assert [(dead.id, dead.subject, dead.error) for dead in await outbox.dead()] == [
        (ids["dead1"], "dead1", "dead1 is no good"),
        (ids["dead2"], "dead2", "dead2 is no good"),
    ]
    assert [dead.subject for dead in await outbox.dead(limit=1)] == ["dead1"]


async def test_letters_that_wait_and_that_are_dead_are_counted(outbox: Outbox, ids: dict[str, int]) -> None:
    assert len(ids) == 4
    assert await outbox.counts() == {WAITING: 1, DEAD: 2}


async def test_nothing_is_counted_as_nothing(outbox: Outbox) -> None:
    assert await outbox.counts() == {WAITING: 0, DEAD: 0}


async def test_a_dead_letter_that_is_tried_again_is_as_new(
    database: Database, clock: FrozenClock, outbox: Outbox, ids: dict[str, int]
) -> None:
    clock.advance(DAY)
    assert await outbox.retry([ids["dead2"], ids["arrived"], ids["waits"], 4711]) == 1
    assert await column(database, "state") == {"dead1": DEAD, "dead2": WAITING, "arrived": DELIVERED, "waits": WAITING}
    letters = {letter.subject: letter for letter in await outbox.take([TOPIC], 10)}
    assert set(letters) == {"dead2", "waits"}
    assert (letters["dead2"].attempts, letters["dead2"].created_at) == (1, NOW + DAY)
    assert (await column(database, "error"))["dead2"] == ""


async def test_all_dead_letters_are_tried_again(database: Database, outbox: Outbox, ids: dict[str, int]) -> None:
    assert len(ids) == 4
    assert await outbox.retry() == 2
    assert await outbox.retry() == 0
    assert await outbox.dead() == []
    assert await column(database, "state") == {
        "dead1": WAITING,
        "dead2": WAITING,
        "arrived": DELIVERED,
        "waits": WAITING,
    }


async def test_dead_letters_and_no_others_are_thrown_away(
    database: Database, outbox: Outbox, ids: dict[str, int]
) -> None:
    assert await outbox.drop([ids["dead1"], ids["arrived"], ids["waits"]]) == 1
    assert set(await column(database, "id")) == {"dead2", "arrived", "waits"}
    assert await outbox.drop() == 1
    assert set(await column(database, "id")) == {"arrived", "waits"}


async def test_an_empty_choice_is_none_and_not_all(outbox: Outbox, ids: dict[str, int]) -> None:
    assert len(ids) == 4
    assert await outbox.retry([]) == 0
    assert await outbox.drop([]) == 0
    assert len(await outbox.dead()) == 2


async def test_of_two_who_try_the_same_again_one_does(outbox: Outbox, ids: dict[str, int]) -> None:
    assert len(ids) == 4
    assert sorted(await asyncio.gather(outbox.retry(), outbox.retry())) == [0, 2]


async def test_what_arrived_is_forgotten_after_its_time_and_nothing_else_is(
    database: Database, clock: FrozenClock, outbox: Outbox, ids: dict[str, int]
) -> None:
    assert len(ids) == 4
    clock.advance(DAY - timedelta(milliseconds=1))
    assert await outbox.purge(older_than=DAY) == 0
    clock.advance(timedelta(milliseconds=1))
    assert await outbox.purge(older_than=DAY) == 1
    assert set(await column(database, "id")) == {"dead1", "dead2", "waits"}


async def test_the_time_counts_from_the_arrival_not_from_the_writing(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    await write(database, clock, "slow")
    clock.advance(DAY)
    (letter,) = await outbox.take([TOPIC], 1)
    await outbox.delivered(letter)
    assert await outbox.purge(older_than=DAY) == 0
    clock.advance(DAY)
    assert await outbox.purge(older_than=DAY) == 1


async def test_more_than_one_batch_is_forgotten(
    database: Database, clock: FrozenClock, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_service, "_PURGED_AT_ONCE", 3)
    await write(database, clock, *(f"HSO{number}" for number in range(7)))
    await write(database, clock, "waits", topic=OTHER)
    for letter in await outbox.take([TOPIC], 10):
        await outbox.delivered(letter)
    clock.advance(DAY)
    assert await outbox.purge(older_than=DAY) == 7
    assert [row["subject"] for row in await stored(database)] == ["waits"]
