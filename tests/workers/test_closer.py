"""Messages that fall due together are answered together."""

import asyncio
from collections.abc import Sequence

import pytest

from domain.order.closing import Outcome
from workers.closer import BATCH, Closer


class SlowClosing:
    """Remembers which orders it was given together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failing = False

    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        self.batches.append(list(sns))
        await asyncio.sleep(0.01)
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
