"""What becomes of a message: done once, tried again where that helps, and given up where it does not."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.worker import ConsumerThread

from domain.errors import Failure, InvalidInput, UpstreamUnavailable
from domain.order.closing import Outcome
from workers import actors
from workers import broker as brokers
from workers.resources import closings_held
from workers.settings import Settings

SN = "HSO20260520120000ABCDEFGH"
NEWS = {"orderSn": SN, "payStatus": 1}


class Room:
    """What actors work with: each try ends as the test says, and after that all goes well."""

    def __init__(self) -> None:
        self.ends: list[Outcome | Exception] = []
        self.tries: list[str] = []
        self.answers: dict[str, Outcome] = {}
        self.closer = self.settling = self

    def answer(self, sn: str) -> Outcome | None:
        return self.answers.pop(sn, None)

    async def close_if_unpaid(self, sn: str) -> Outcome:
        return self._try(sn) or Outcome.CLOSED

    async def close_all(self, sns: Sequence[str]) -> dict[str, Outcome]:
        return {sn: await self.close_if_unpaid(sn) for sn in sns}

    async def settle(self, sn: str) -> None:
        self._try(sn)

    def _try(self, sn: str) -> Outcome | None:
        self.tries.append(sn)
        end = self.ends.pop(0) if self.ends else None
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    room = Room()
    monkeypatch.setattr(actors, "_resources", room)
    return room


@pytest.fixture
def broker(room: Room, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubBroker]:  # noqa: ARG001 -- it comes first
    """The shipped broker with the shipped actors, in a hurry, and without what opens databases."""
    for name in ("MIN_BACKOFF", "MAX_BACKOFF"):
        monkeypatch.setattr(brokers, name, 10)
    monkeypatch.setattr(actors, "TRY_AGAIN_AFTER", 10)
    built = brokers.build(Settings(broker_url=""))
    assert isinstance(built, StubBroker)
    for actor in (actors.close_unpaid, actors.payment_status_changed):
        built.declare_actor(actor)
    worker = dramatiq.Worker(built, worker_timeout=20, worker_threads=2)
    worker.start()
    yield built
    worker.stop()
    built.close()


async def run(broker: StubBroker, message: dramatiq.Message[Any]) -> None:
    """Sends a message and waits until nothing is left to do for it."""
    broker.enqueue(message)
    await asyncio.to_thread(broker.join, message.queue_name, timeout=10_000, fail_fast=False)


def dead(broker: StubBroker) -> list[str]:
    return [message.actor_name for message in broker.dead_letters]


@pytest.mark.parametrize("end", [outcome for outcome in Outcome if outcome is not Outcome.EARLY])
async def test_whatever_is_decided_is_asked_for_once(room: Room, broker: StubBroker, end: Outcome) -> None:
    # An order that is not there is decided, too: no other try would find it.
    room.ends = [end]
    await run(broker, actors.close_unpaid_message(SN))
    assert room.tries == [SN]
    assert dead(broker) == []


async def test_an_attempt_that_comes_early_is_made_again(room: Room, broker: StubBroker) -> None:
    room.ends = [Outcome.EARLY, Outcome.EARLY]
    await run(broker, actors.close_unpaid_message(SN))
    assert room.tries == [SN] * 3
    assert dead(broker) == []


async def test_of_several_that_run_as_one_all_are_asked_for(room: Room, broker: StubBroker) -> None:
    several = actors.close_unpaid_message(SN).copy(args=("HSO1", "HSO2", "HSO3"))
    room.answers = {"HSO1": Outcome.CLOSED}
    await run(broker, several)
    assert room.tries == ["HSO1", "HSO2", "HSO3"]
    # One that came early has all of them run again: the others are decided by then.
    room.ends = [Outcome.CLOSED, Outcome.EARLY, Outcome.CLOSED, Outcome.DECIDED]
    await run(broker, several)
    assert room.tries[3:] == ["HSO1", "HSO2", "HSO3"] * 2
    assert dead(broker) == []


async def test_an_order_that_went_along_with_others_is_not_asked_for(room: Room, broker: StubBroker) -> None:
    room.answers = {SN: Outcome.CLOSED}
    await run(broker, actors.close_unpaid_message(SN))
    assert room.tries == []
    room.answers = {SN: Outcome.EARLY}
    await run(broker, actors.close_unpaid_message(SN))
    assert room.tries == [SN]
    assert dead(broker) == []


def test_a_worker_knows_which_orders_it_will_close(room: Room, broker: StubBroker) -> None:
    worker = dramatiq.Worker(broker, worker_threads=1)
    held = [
        actors.close_unpaid_message("HSO1"),
        actors.payment_status_message("HSO2", 1),
        actors.close_unpaid_message("HSO3"),
        actors.close_unpaid_message("HSO4").copy(args=()),
        actors.close_unpaid_message("HSO6").copy(args=("HSO7", "HSO8")),
        actors.close_unpaid_message("HSO5").copy(args=({"not": "a number"},)),
    ]
    consumer = ConsumerThread(
        broker=broker, queue_name="default", prefetch=9, work_queue=worker.work_queue, worker_timeout=20
    )
    for message in held:
        consumer.handle_message(dramatiq.MessageProxy(message))
    assert sorted(closings_held(worker)) == ["HSO1", "HSO3"]
    assert room.tries == []


@pytest.mark.parametrize(
    "message", [actors.close_unpaid_message(SN), actors.payment_status_message(SN, 1)], ids=lambda sent: sent.actor_name
)
@pytest.mark.parametrize("error", [UpstreamUnavailable("payment", "away"), RuntimeError("a bug")], ids=type)
async def test_what_fails_is_tried_again_until_it_goes_well(
    room: Room, broker: StubBroker, message: dramatiq.Message[Any], error: Failure | RuntimeError
) -> None:
    room.ends = [error, error]
    await run(broker, message)
    assert room.tries == [SN] * 3
    assert dead(broker) == []


async def test_what_fails_for_ever_is_kept_for_people_and_keeps_no_other_waiting(
    room: Room, broker: StubBroker
) -> None:
    room.ends = [UpstreamUnavailable("payment", "away")] * (brokers.MAX_RETRIES + 1)
    await run(broker, actors.payment_status_message(SN, 1))
    assert len(room.tries) == brokers.MAX_RETRIES + 1
    assert dead(broker) == ["payment.status_changed"]
    await run(broker, actors.payment_status_message("HSO2", 1))
    assert room.tries[-1] == "HSO2"


async def test_what_is_refused_is_not_tried_again(room: Room, broker: StubBroker) -> None:
    room.ends = [InvalidInput("No.")]
    await run(broker, actors.close_unpaid_message(SN))
    assert room.tries == [SN]
    assert dead(broker) == ["order.close_unpaid"]


def test_a_message_carries_a_number_and_nothing_else() -> None:
    assert actors.close_unpaid_message(SN).args == (SN,)
    assert actors.payment_status_message(SN, 1).args == (NEWS,)
    for message in (actors.close_unpaid_message(SN), actors.payment_status_message(SN, 1)):
        assert (message.kwargs, message.options) == ({}, {})
