"""A request's time, and what is left of it for what is done on its way."""

import asyncio

import pytest

from domain import deadline


async def test_nobody_has_to_set_a_limit() -> None:
    assert deadline.remaining() is None
    assert deadline.within(1.5) == 1.5


async def test_what_is_left_grows_less_and_then_is_over() -> None:
    with deadline.budget(0.05):
        first = deadline.remaining()
        assert first is not None
        assert 0 < first <= 0.05
        assert deadline.within(1.5) <= first
        assert deadline.within(0.001) == 0.001
        await asyncio.sleep(0.06)
        left = deadline.remaining()
        assert left is not None
        assert left < 0
    assert deadline.remaining() is None


async def test_an_inner_budget_is_never_more_than_is_left_of_the_outer_one() -> None:
    with deadline.budget(1):
        with deadline.budget(5):
            assert deadline.within(9) <= 1
        with deadline.budget(0.5):
            assert deadline.within(9) <= 0.5
        assert deadline.within(9) > 0.5


async def test_tasks_started_on_the_way_know_it_and_others_do_not() -> None:
    async def left() -> float | None:
        return deadline.remaining()

    with deadline.budget(1):
        inside = asyncio.create_task(left())
    outside = asyncio.create_task(left())
    assert await inside == pytest.approx(1, abs=0.5)
    assert await outside is None
