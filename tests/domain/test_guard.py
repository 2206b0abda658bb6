"""Another service's trouble is kept from becoming ours."""

import asyncio
import time
from typing import Final

import pytest
from structlog.testing import capture_logs

from domain import deadline
from domain.errors import UpstreamUnavailable
from domain.guard import ENOUGH, JUDGED, QUEUE, TRIAL_EVERY, Circuit, Guard

LIMIT: Final = 1.0


def opened() -> Circuit:
    circuit = Circuit()
    for _ in range(ENOUGH):
        circuit.tell(0, slow=True)
    assert circuit.is_open
    return circuit


def test_a_service_is_left_alone_when_half_of_its_last_answers_did_not_come() -> None:
    circuit = Circuit()
    for _ in range(JUDGED):
        circuit.tell(0, slow=False)
    # Each takes the place of one that came.
    assert [circuit.tell(0, slow=True) for _ in range(JUDGED // 2)] == [False] * (JUDGED // 2 - 1) + [True]
    assert not circuit.admits(0)


def test_a_few_answers_that_do_not_come_mean_nothing() -> None:
    circuit = Circuit()
    for _ in range(ENOUGH - 1):
        assert not circuit.tell(0, slow=True)
    assert circuit.admits(0)
    assert circuit.tell(0, slow=True)


def test_one_trial_is_let_through_now_and_then_and_its_answer_ends_it() -> None:
    circuit = opened()
    assert not circuit.admits(TRIAL_EVERY / 2)
    assert [circuit.admits(TRIAL_EVERY), circuit.admits(TRIAL_EVERY)] == [True, False]
    # The one before is not answered yet; this one may be.
    assert circuit.admits(2 * TRIAL_EVERY)
    circuit.tell(2 * TRIAL_EVERY, slow=True)
    assert not circuit.admits(2 * TRIAL_EVERY)
    circuit.tell(2 * TRIAL_EVERY, slow=False)
    assert all(circuit.admits(2 * TRIAL_EVERY) for _ in range(10))
    # And what was before is forgotten.
    assert not circuit.tell(2 * TRIAL_EVERY, slow=True)


async def test_no_more_calls_at_once_than_there_are_places_and_the_others_wait_a_little() -> None:
    guard = Guard("travel", at_once=2)
    for _ in range(2):
        assert await guard.enter(LIMIT) == LIMIT
    waiting = asyncio.create_task(guard.enter(LIMIT))
    await asyncio.sleep(QUEUE / 2)
    guard.leave(slow=False)
    assert LIMIT - QUEUE <= await waiting < LIMIT
    started = time.monotonic()
    with pytest.raises(UpstreamUnavailable) as refusal:
        await guard.enter(LIMIT)
    # Its turn would never come.
    assert time.monotonic() - started < QUEUE + 20
    assert (refusal.value.upstream, refusal.value.reason) == ("travel", "it is asked too much at once")
    # Who was refused has taken no place.
    guard.leave(slow=False)
    await guard.enter(LIMIT)


async def test_nothing_is_asked_when_the_time_is_over_and_no_place_is_lost() -> None:
    guard = Guard("travel", at_once=1)
    with deadline.budget(-1):
        for _ in range(3):
            with pytest.raises(UpstreamUnavailable, match="travel") as refusal:
                await guard.enter(LIMIT)
            assert refusal.value.reason == "no time is left to ask it"
    with deadline.budget(0.5):
        assert 0 < await guard.enter(LIMIT) <= 0.5


async def test_a_slow_service_is_left_alone_and_it_is_said_once() -> None:
    guard = Guard("travel")
    with capture_logs() as logs:
        for _ in range(ENOUGH):
            await guard.enter(LIMIT)
            guard.leave(slow=True)
        for _ in range(3):
            with pytest.raises(UpstreamUnavailable) as refusal:
                await guard.enter(LIMIT)
    assert "left alone" in refusal.value.reason
    assert [entry["upstream"] for entry in logs] == ["travel"]
    await asyncio.sleep(TRIAL_EVERY)
    await guard.enter(LIMIT)
    guard.leave(slow=False)
    await guard.enter(LIMIT)


async def test_a_call_of_which_nobody_knows_how_it_would_have_ended_is_not_judged() -> None:
    guard = Guard("travel", at_once=1)
    for _ in range(2 * ENOUGH):
        await guard.enter(LIMIT)
        guard.leave(slow=None)
    await guard.enter(LIMIT)


@pytest.mark.parametrize(
    ("ends", "renewals"),
    [
        ([True], 0),
        ([True, True], 1),
        ([True, False, True], 0),
        ([True, None, True], 1),
        # These were under way together; of the new connection they say nothing.
        ([True] * 10, 1),
    ],
    ids=str,
)
async def test_a_connection_on_which_nothing_is_answered_is_left_and_not_all_the_time(
    ends: list[bool | None], renewals: int
) -> None:
    renewed: list[bool] = []
    guard = Guard("travel", renew=lambda: renewed.append(True))
    for _ in ends:
        await guard.enter(LIMIT)
    for end in ends:
        guard.leave(slow=end)
    assert len(renewed) == renewals
