"""Messages that fall due together are answered together."""

import asyncio
from collections import deque
from collections.abc import Sequence

import pytest

from domain.order.closing import Outcome
from workers.closer import AT_ONCE, BATCH, Closer


class SlowClosing:
    """Remembers which orders it was given together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failing = False
        self.running = self.most_running = 0

    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        self.batches.append(list(sns))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await asyncio.sleep(0.01)
        self.running -= 1
        if self.failing:
            raise RuntimeError("the test says so")
        return {sn: Outcome.EARLY if sn.endswith("early") else Outcome.CLOSED for sn in sns}


@pytest.fixture
def closing() -> SlowClosing:
    return SlowClosing()


@pytest.fixture
def closer(closing: SlowClosing) -> Closer:
    return Closer(closing)


async def test_what_comes_while_one_is_closed_is_the_next_batch(closer: Closer, closing: SlowClosing) -> None:
    outcomes = await asyncio.gather(*(closer.close_if_unpaid(sn) for sn in ("a", "b early", "c", "a")))
    assert outcomes == [Outcome.CLOSED, Outcome.EARLY, Outcome.CLOSED, Outcome.CLOSED]
    assert closing.batches == [["a", "b early", "c"]]
    assert await closer.close_if_unpaid("a") is Outcome.CLOSED
    assert closing.batches[1:] == [["a"]]


async def test_a_batch_is_bounded(closer: Closer, closing: SlowClosing) -> None:
    await asyncio.gather(*(closer.close_if_unpaid(str(number)) for number in range(2 * BATCH + 1)))
    assert [len(batch) for batch in closing.batches] == [BATCH, BATCH, 1]


async def test_a_failure_is_told_to_each_and_ends_nothing(closer: Closer, closing: SlowClosing) -> None:
    closing.failing = True
    ends = await asyncio.gather(*(closer.close_if_unpaid(sn) for sn in "ab"), return_exceptions=True)
    assert [type(end) for end in ends] == [RuntimeError, RuntimeError]
    closing.failing = False
    assert await closer.close_if_unpaid("a") is Outcome.CLOSED


async def test_one_who_stops_waiting_takes_nothing_from_the_others(closer: Closer) -> None:
    hasty = asyncio.create_task(closer.close_if_unpaid("a"))
    patient = asyncio.create_task(closer.close_if_unpaid("a"))
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient is Outcome.CLOSED
    assert hasty.cancelled()


async def test_those_that_will_be_asked_for_go_along_and_are_answered_when_they_are(closing: SlowClosing) -> None:
    held = ["b", "c early", "a", "b"]
    closer = Closer(closing, lambda: held)
    assert await closer.close_if_unpaid("a") is Outcome.CLOSED
    assert closing.batches == [["a", "b", "c early"]]
    assert closer.answer("b") is Outcome.CLOSED
    assert await closer.close_if_unpaid("c early") is Outcome.EARLY
    assert len(closing.batches) == 1
    # An answer is told once: who asks again wants to know what is so now.
    held.clear()
    assert closer.answer("b") is None
    await closer.close_if_unpaid("c early")
    assert closing.batches[1:] == [["c early"]]


async def test_what_is_asked_for_while_it_goes_along_is_not_closed_twice(closing: SlowClosing) -> None:
    closer = Closer(closing, lambda: ["b", "c"])
    asked = [asyncio.create_task(closer.close_if_unpaid(sn)) for sn in "a"]
    await asyncio.sleep(0.002)
    asked += [asyncio.create_task(closer.close_if_unpaid(sn)) for sn in "bb"]
    assert await asyncio.gather(*asked) == [Outcome.CLOSED] * 3
    assert closing.batches == [["a", "b", "c"]]
    assert [closer.answer(sn) for sn in "abc"] == [None, None, Outcome.CLOSED]


async def test_what_went_along_in_vain_is_asked_for_again(closing: SlowClosing) -> None:
    closer = Closer(closing, lambda: ["b"])
    closing.failing = True
    with pytest.raises(RuntimeError):
        await closer.close_if_unpaid("a")
    closing.failing = False
    assert closer.answer("b") is None
    assert await closer.close_if_unpaid("b") is Outcome.CLOSED


async def test_full_batches_run_beside_each_other_and_none_has_an_order_of_another(closing: SlowClosing) -> None:
    held = deque(str(number) for number in range(5 * BATCH))
    closer = Closer(closing, lambda: held)
    while held:
        if closer.answer(sn := held.popleft()) is None:
            await closer.close_if_unpaid(sn)
    assert [len(batch) for batch in closing.batches] == [BATCH] * 5
    await asyncio.gather(*(closer.close_if_unpaid(f"more {number}") for number in range(4 * BATCH)))
    assert closing.most_running == AT_ONCE
    closed = [sn for batch in closing.batches for sn in batch if sn.startswith("more")]
    assert len(closed) == len(set(closed)) == 4 * BATCH


async def test_those_that_come_together_stay_together(closer: Closer, closing: SlowClosing) -> None:
    half = BATCH // 2 + 1
    groups = [[f"{group} {number}" for number in range(half)] for group in "abc"]
    whole = [f"d {number}" for number in range(BATCH - 1)]
    asked = [closer.close_all(sns) for sns in [*groups, whole, ["e early"]]]
    outcomes, alone = await asyncio.gather(asyncio.gather(*asked), closer.close_if_unpaid("f"))
    # Who comes alone goes with those where there is room.
    assert closing.batches == [[*groups[0], "f"], groups[1], groups[2], [*whole, "e early"]]
    assert [outcome[sns[0]] for outcome, sns in zip(outcomes[:3], groups, strict=True)] == [Outcome.CLOSED] * 3
    assert (outcomes[4]["e early"], alone) == (Outcome.EARLY, Outcome.CLOSED)


async def test_what_is_asked_for_twice_at_once_is_closed_once(closer: Closer, closing: SlowClosing) -> None:
    await asyncio.gather(closer.close_all(["a", "b"]), closer.close_if_unpaid("b"), closer.close_all(["b", "c"]))
    assert closing.batches == [["a", "b", "c"]]


async def test_those_that_come_together_hear_of_a_failure(closer: Closer, closing: SlowClosing) -> None:
    closing.failing = True
    ends = await asyncio.gather(closer.close_all(["a", "b"]), closer.close_if_unpaid("c"), return_exceptions=True)
    assert [type(end) for end in ends] == [RuntimeError, RuntimeError]
    closing.failing = False
    assert await closer.close_all(["a", "b"]) == {"a": Outcome.CLOSED, "b": Outcome.CLOSED}


async def test_small_batches_run_one_after_the_other(closer: Closer, closing: SlowClosing) -> None:
    asked = []
    for number in range(20):
        asked.append(asyncio.create_task(closer.close_if_unpaid(str(number))))
        await asyncio.sleep(0.001)
    await asyncio.gather(*asked)
    assert closing.most_running == 1
    assert len(closing.batches) < 20
