"""Letters come to those they are for: all of them, however often it takes, whoever fails or hangs."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from domain.database import Database
from domain.errors import OrderNotFound, UpstreamUnavailable
from domain.outbox import LEASE, Letter, LetterState, Outbox
from tests.clock import FrozenClock
from tests.outbox.letters import LETTERS, OTHER, TOPIC, column, write
from tests.workers.receivers import SOON, Receiver, names, running, until, until_all_are
from workers import relay as relay_module
from workers.relay import AT_ONCE, LONGEST_WAIT, SHORTEST_WAIT, TRIES_AT_LEAST, Relay, wait

WAITING, DELIVERED, DEAD = LetterState


@pytest.fixture
def outbox(database: Database, clock: FrozenClock) -> Outbox:
    return Outbox(database, clock)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


async def test_each_letter_comes_once_and_is_marked(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, *names(range(120)))
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, DELIVERED)
    assert sorted(receiver.came) == sorted(names(range(120)))


async def test_a_letter_comes_to_the_one_its_topic_is_for_and_one_for_nobody_waits(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    receiver, other = Receiver(), Receiver()
    for subject, topic in (("HSO1", TOPIC), ("HSO2", OTHER), ("HSO3", "order.gone")):
        await write(database, clock, subject, topic=topic)
    async with running(Relay(outbox, {TOPIC: receiver, OTHER: other}, interval=SOON)):
        await until(lambda: receiver.came and other.came)
    assert (receiver.came, other.came) == (["HSO1"], ["HSO2"])
    assert (await column(database, "state"))["HSO3"] is WAITING


async def test_of_several_relays_each_letter_is_delivered_by_one(
    database: Database, clock: FrozenClock, receiver: Receiver
) -> None:
    await write(database, clock, *names(range(150)))
    relays = [Relay(Outbox(database, clock), {TOPIC: receiver}, interval=SOON) for _ in range(3)]
    async with running(*relays):
        await until_all_are(database, DELIVERED)
    assert sorted(receiver.came) == sorted(names(range(150)))


def test_the_wait_doubles_from_seconds_to_minutes_and_is_never_alike() -> None:
    for attempts in range(1, 400):
        longest = min(LONGEST_WAIT, 2 * SHORTEST_WAIT * 2 ** (attempts - 1))
        waits = {wait(attempts).total_seconds() for _ in range(20)}
        assert len(waits) > 10
        assert all(longest / 2 <= seconds <= longest for seconds in waits)
    assert SHORTEST_WAIT <= wait(1).total_seconds() <= 2 * SHORTEST_WAIT
    assert LONGEST_WAIT / 2 <= wait(400).total_seconds() <= LONGEST_WAIT


async def test_what_could_not_be_delivered_is_tried_again_after_ever_longer_waits(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, "HSO1")
    receiver.failures = [UpstreamUnavailable("payment", "UNAVAILABLE: gone fishing"), ConnectionError("reset")]
    waits: list[timedelta] = []
    relay = Relay(outbox, {TOPIC: receiver}, interval=SOON)
    async with running(relay):
        for error in ("UpstreamUnavailable: UNAVAILABLE: gone fishing", "ConnectionError: reset"):
            await until_all_are(database, error, "error")
            waits.append((await column(database, "due_at"))["HSO1"] - clock.now())
            came = len(receiver.came)
            clock.advance(waits[-1] - timedelta(milliseconds=1))
            await asyncio.sleep(3 * SOON)
            assert len(receiver.came) == came
            clock.advance(timedelta(milliseconds=1))
        await until_all_are(database, DELIVERED)
    assert timedelta(seconds=1) <= waits[0] <= timedelta(seconds=2) <= waits[1] <= timedelta(seconds=4)
    assert receiver.came == ["HSO1"] * 3


async def test_what_is_put_off_waits_in_the_table_and_not_in_the_relay(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "SHORTEST_WAIT", 60.0)
    receiver.failures = [ConnectionError("gone") for _ in range(AT_ONCE)]
    await write(database, clock, *names(range(AT_ONCE)))
    async with asyncio.timeout(30), running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, "ConnectionError: gone", "error")
    assert set((await column(database, "state")).values()) == {WAITING}


async def test_what_can_never_be_delivered_is_dead_at_once_and_keeps_nobody_waiting(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, "HSO1")
    receiver.failures = [OrderNotFound("There is no such order.", "sn")]
    said = "OrderNotFound: There is no such order."
    with capture_logs() as logs:
        async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
            await until_all_are(database, DEAD)
            await write(database, clock, "HSO2")
            await until(lambda: len(receiver.came) == 2)
    (dead,) = await outbox.dead()
    assert (dead.subject, dead.error, dead.attempts) == ("HSO1", said, 1)
    assert [(line["subject"], line["error"]) for line in logs if line["log_level"] == "error"] == [("HSO1", said)]


@pytest.mark.parametrize(
    ("age", "attempts", "given_up"),
    [
        (timedelta(days=1), TRIES_AT_LEAST, True),
        (timedelta(days=1) - timedelta(milliseconds=1), 1000, False),
        (timedelta(days=100), TRIES_AT_LEAST - 1, False),
    ],
)
async def test_a_letter_is_given_up_when_it_is_a_day_old_and_was_tried_often(
    database: Database,
    clock: FrozenClock,
    outbox: Outbox,
    receiver: Receiver,
    age: timedelta,
    attempts: int,
    given_up: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    await write(database, clock, "HSO1")
    before = sa.update(LETTERS).values(attempts=attempts - 1)
    await database.write(lambda connection: connection.execute(before))
    clock.advance(age)
    receiver.failures = [ConnectionError("gone")]
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, "ConnectionError: gone", "error")
    assert await column(database, "state") == {"HSO1": DEAD if given_up else WAITING}
    assert await column(database, "attempts") == {"HSO1": attempts}


async def test_an_outage_of_ours_is_not_held_against_a_letter(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, "HSO1")
    clock.advance(timedelta(days=3))
    receiver.failures = [ConnectionError(f"not up yet, {tries}") for tries in range(1, TRIES_AT_LEAST)]
    async with running(Relay(outbox, {TOPIC: receiver}, interval=0.01)):
        for tries in range(1, TRIES_AT_LEAST):
            await until_all_are(database, f"ConnectionError: not up yet, {tries}", "error")
            clock.advance(timedelta(hours=1))
        await until_all_are(database, DELIVERED)
    assert await column(database, "state") == {"HSO1": DELIVERED}
    assert len(receiver.came) == TRIES_AT_LEAST


async def test_a_delivery_that_hangs_is_given_up_and_tried_again(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "DELIVER_WITHIN", 0.1)
    await write(database, clock, "HSO1")
    receiver.open.clear()
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, "TimeoutError", "error")
        receiver.open.set()
        clock.advance(timedelta(seconds=2))
        await until_all_are(database, DELIVERED)


async def test_only_so_many_are_delivered_at_once(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    await write(database, clock, *names(range(30)))
    receiver.delay = 0.02
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        await until_all_are(database, DELIVERED)
    assert receiver.most_at_once == AT_ONCE


async def test_one_delivery_that_hangs_holds_up_no_other_letter(
    database: Database, clock: FrozenClock, outbox: Outbox
) -> None:
    class HangsOnce(Receiver):
        async def __call__(self, letter: Letter) -> None:
            if letter.subject == "HSO0":
                await self.open.wait()
            await super().__call__(letter)

    receiver = HangsOnce()
    receiver.open.clear()
    await write(database, clock, "HSO0")
    relay = Relay(outbox, {TOPIC: receiver}, interval=SOON)
    async with running(relay):
        await asyncio.sleep(0.1)
        receiver.open = asyncio.Event()
        await write(database, clock, *names(range(1, 100)))
        receiver.open.set()
        await until(lambda: len(set(receiver.came)) == 99)
    assert "HSO0" not in receiver.came


async def test_a_topic_whose_receiver_hangs_holds_up_no_other_topic(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    hangs = Receiver()
    hangs.open.clear()
    await write(database, clock, *names(range(60)), topic=OTHER)
    async with running(Relay(outbox, {OTHER: hangs, TOPIC: receiver}, interval=SOON)):
        await until(lambda: hangs.at_once == AT_ONCE)
        await write(database, clock, *names(range(100, 160)))
        await until(lambda: len(receiver.came) == 60)
        assert hangs.at_once == AT_ONCE
        hangs.open.set()
        await until_all_are(database, DELIVERED)


async def test_what_could_not_be_begun_in_time_is_left_to_whoever_comes_after_the_claim(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "AT_ONCE", 1)
    monkeypatch.setattr(relay_module, "BEGIN_WITHIN", 0.2)
    receiver.delay = 0.3
    await write(database, clock, *names(range(3)))
    async with running(Relay(outbox, {TOPIC: receiver}, interval=SOON)):
        for came in (1, 2, 3):
            await asyncio.sleep(0.6)
            assert len(receiver.came) == came
            clock.advance(LEASE)
        await until_all_are(database, DELIVERED)
    assert sorted(receiver.came) == names(range(3))


async def test_a_relay_that_is_woken_delivers_at_once(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    relay = Relay(outbox, {TOPIC: receiver}, interval=3600)
    async with running(relay):
        await asyncio.sleep(0.2)
        await write(database, clock, "HSO1")
        await asyncio.sleep(0.2)
        assert receiver.came == []
        relay.wake()
        # By itself it would look in an hour.
        await until(lambda: receiver.came)


async def test_a_relay_that_nobody_wakes_looks_by_itself(
    database: Database, clock: FrozenClock, outbox: Outbox, receiver: Receiver
) -> None:
    async with running(Relay(outbox, {TOPIC: receiver}, interval=0.3)):
        await asyncio.sleep(0.1)
        await write(database, clock, "HSO1")
        await until_all_are(database, DELIVERED)
