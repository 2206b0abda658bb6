"""Homestays as guests are shown them: one question for all who ask at once, and an answer that is kept a little."""

import asyncio
from collections.abc import Sequence

import pytest

from domain import deadline
from domain.errors import UpstreamUnavailable
from domain.order import shown_homestays
from domain.order.ports import Found
from domain.order.shown_homestays import ShownHomestays
from tests.factories import create_homestay
from tests.fakes import FakeTravel


class SlowTravel(FakeTravel):
    """Answers when it is told to."""

    def __init__(self, count: int = 5) -> None:
        super().__init__({number: create_homestay(id=number) for number in range(1, count + 1)})
        self.answers = asyncio.Event()
        self.questions: list[list[int]] = []
        self.left: list[float | None] = []

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        self.questions.append(list(homestay_ids))
        self.left.append(deadline.remaining())
        await self.answers.wait()
        return await super().several(homestay_ids)


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_all_who_want_it_at_once_ask_once() -> None:
    travel = SlowTravel()
    shown = ShownHomestays(travel, kept=10)
    asked = [asyncio.create_task(shown.get(ids)) for ids in ([1, 2], [2, 3], [3], [1, 9])]
    await asyncio.sleep(0.01)
    assert travel.questions == [[1, 2], [3], [9]]
    travel.answers.set()
    titles = [[found and found.id for found in await each] for each in asked]  # type: ignore[union-attr]
    assert titles == [[1, 2], [2, 3], [3], [1, None]]


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    travel = SlowTravel()
    shown = ShownHomestays(travel, kept=10)
    leaver, stayer = (asyncio.create_task(shown.get([1])) for _ in range(2))
    await asyncio.sleep(0.01)
    leaver.cancel()
    await asyncio.wait([leaver])
    travel.answers.set()
    assert [found.id for found in await stayer] == [1]  # type: ignore[union-attr]
    assert travel.questions == [[1]]


async def test_the_question_has_its_own_time() -> None:
    travel = SlowTravel()
    travel.answers.set()
    with deadline.budget(0.001):
        await ShownHomestays(travel, kept=0).get([1])
    assert travel.left == [None]


async def test_an_answer_is_kept_so_long_and_no_longer() -> None:
    watch, travel = Watch(), SlowTravel()
    travel.answers.set()
    shown = ShownHomestays(travel, kept=10, now=watch)
    assert await shown.get([1, 9]) == await shown.get([1, 9]) == [travel.homestays[1], None]
    assert travel.questions == [[1, 9]]
    travel.offer(create_homestay(id=1, title="New"))
    watch.now += 9.9
    assert await shown.get([1]) != [travel.homestays[1]]
    watch.now += 0.2
    assert await shown.get([1]) == [travel.homestays[1]]
    nothing = ShownHomestays(travel, kept=0, now=watch)
    await nothing.get([1])
    await nothing.get([1])
    assert len(nothing) == 0
    assert travel.questions == [[1, 9], [1], [1], [1]]


async def test_what_could_not_be_asked_is_asked_again() -> None:
    travel = SlowTravel()
    travel.answers.set()
    travel.down = True
    shown = ShownHomestays(travel, kept=10)
    (failed,) = await shown.get([1])
    assert isinstance(failed, UpstreamUnavailable)
    travel.down = False
    assert await shown.get([1]) == [travel.homestays[1]]


async def test_a_bug_is_told_to_all_who_wait_and_kept_from_nobody() -> None:
    travel = SlowTravel()
    travel.answers.set()
    shown = ShownHomestays(travel, kept=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(travel, "homestay", None)
        with pytest.raises(TypeError):
            await shown.get([1])
    assert await shown.get([1]) == [travel.homestays[1]]


async def test_memory_and_questions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_homestays, "MAX_KEPT", 3)
    monkeypatch.setattr(shown_homestays, "_BATCH", 2)
    travel = SlowTravel()
    travel.answers.set()
    shown = ShownHomestays(travel, kept=10)
    await shown.get([1, 2, 3, 4, 5])
    assert len(shown) == 3
    assert travel.questions == [[1, 2], [3, 4], [5]]
