"""What is asked in one turn of the loop is asked together, and nobody has to do with the others of it."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

from domain.shared_question import SharedQuestion

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


class Clerk:
    """Answers a number with its double; remembers what was asked together."""

    def __init__(self) -> None:
        self.heard: list[list[int]] = []
        self.whose: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.question: SharedQuestion[int, int] = SharedQuestion(self._double, most=3)

    async def _double(self, numbers: Sequence[int]) -> list[int]:
        self.heard.append(list(numbers))
        self.whose.append(WHOSE.get())
        await self.open.wait()
        if 13 in numbers:
            raise LookupError("the test says so")
        return [2 * number for number in numbers]


async def test_those_of_one_turn_are_asked_together_as_many_as_may_be() -> None:
    clerk = Clerk()
    assert await asyncio.gather(*map(clerk.question.ask, range(7))) == [0, 2, 4, 6, 8, 10, 12]
    assert clerk.heard == [[0, 1, 2], [3, 4, 5], [6]]
    assert await clerk.question.ask(8) == 16
    assert clerk.heard[3:] == [[8]]


async def test_who_comes_while_others_wait_waits_for_none_of_them() -> None:
    clerk = Clerk()
    clerk.open.clear()
    first = asyncio.create_task(clerk.question.ask(1))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(clerk.question.ask(2))
    await asyncio.sleep(0.01)
    assert clerk.heard == [[1], [2]]
    clerk.open.set()
    assert [await first, await second] == [2, 4]


async def test_who_goes_away_takes_no_answer_from_the_others() -> None:
    clerk = Clerk()
    clerk.open.clear()
    calls = [asyncio.create_task(clerk.question.ask(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    calls[1].cancel()
    await asyncio.sleep(0)
    assert calls[1].done()
    clerk.open.set()
    assert [await calls[0], await calls[2]] == [0, 4]
    assert calls[1].cancelled()


async def test_what_goes_wrong_is_told_to_each_and_not_to_the_next() -> None:
    clerk = Clerk()
    ends = await asyncio.gather(*map(clerk.question.ask, (12, 13, 14, 15)), return_exceptions=True)
    assert [isinstance(end, LookupError) for end in ends] == [True, True, True, False]
    assert await clerk.question.ask(12) == 24


async def test_it_is_asked_in_nobodys_name() -> None:
    clerk = Clerk()
    WHOSE.set("a guest's")
    assert await clerk.question.ask(1) == 2
    assert clerk.whose == ["nobody's"]


async def test_its_end_waits_for_what_nobody_waits_for_any_more() -> None:
    clerk = Clerk()
    clerk.open.clear()
    call = asyncio.create_task(clerk.question.ask(1))
    await asyncio.sleep(0.01)
    call.cancel()
    end = asyncio.create_task(clerk.question.close())
    await asyncio.sleep(0.01)
    assert not end.done()
    clerk.open.set()
    await end


async def test_a_question_that_is_given_up_leaves_nobody_waiting() -> None:
    clerk = Clerk()
    clerk.open.clear()
    calls = [asyncio.create_task(clerk.question.ask(number)) for number in range(2)]
    await asyncio.sleep(0.01)
    for task in clerk.question._asked:
        task.cancel()
    done, _ = await asyncio.wait(calls, timeout=1)
    assert [call.cancelled() for call in done] == [True, True]
