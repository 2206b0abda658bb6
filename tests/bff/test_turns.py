"""Newcomers wait for one another, and keep nobody else waiting for more than one of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from bff.graph import schema
from bff.limits.turns import Turns
from tests.bff.stand_in import StandIn, context_of

NEWCOMERS = 20


@pytest.fixture
async def turn() -> AsyncIterator[list[int]]:
    """The number of the event loop's turn, as it goes on."""
    now = [0]

    async def count() -> None:
        while True:
            now[0] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    yield now
    counting.cancel()


async def test_one_newcomer_is_let_on_in_a_turn(turn: list[int]) -> None:
    turns, seen = Turns(), Counter[int]()

    async def come() -> None:
        await turns.wait()
        seen[turn[0]] += 1

    await asyncio.gather(*(come() for _ in range(NEWCOMERS)))
    assert sum(seen.values()) == NEWCOMERS
    assert max(seen.values()) == 1


async def test_they_are_let_on_as_they_came() -> None:
    turns, order = Turns(), list[int]()

    async def come(number: int) -> None:
        await turns.wait()
        order.append(number)

    await asyncio.gather(*(come(number) for number in range(NEWCOMERS)))
    assert order == list(range(NEWCOMERS))


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    turns = Turns()
    waiting = [asyncio.create_task(turns.wait()) for _ in range(NEWCOMERS)]
    await asyncio.sleep(0)
    for task in waiting[:-1]:
        task.cancel()
    async with asyncio.timeout(30):
        await waiting[-1]


@pytest.mark.parametrize("refused", [False, True])
async def test_documents_that_were_not_read_before_are_read_one_in_a_turn(
    turn: list[int], monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    edge, read = schema.build(introspection=True), Counter[int]()
    parse = edge.documents.parse

    def counted(text: str) -> object:
        read[turn[0]] += 1
        return parse(text)

    monkeypatch.setattr(edge.documents, "parse", counted)
    aliases = 100 if refused else 1

    async def ask(number: int) -> bool:
        names = " ".join(f"a{number}x{each}: __typename" for each in range(aliases))
        answer = await edge.execute(f"{{ {names} }}", context_value=context_of(StandIn()))
        return answer.errors is None

    for _ in range(2 if refused else 1):
        assert set(await asyncio.gather(*map(ask, range(NEWCOMERS)))) == {not refused}
    # What is refused costs its milliseconds each time, so that it waits each time.
    assert max(read.values()) == 1

    if not refused:
        read.clear()
        find = edge.documents.find

        def found(text: str) -> object:
            read[turn[0]] += 1
            return find(text)

        monkeypatch.setattr(edge.documents, "find", found)
        await asyncio.gather(*map(ask, range(NEWCOMERS)))
        assert max(read.values()) >= NEWCOMERS, "known ones were kept waiting"
