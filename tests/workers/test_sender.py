import asyncio
import threading
import time
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from workers import sender as sender_module
from workers.sender import Sender


class RecordingBroker(StubBroker):
    """A broker that remembers what it was given, and can be made to hang or to fail."""

    def __init__(self) -> None:
        super().__init__(middleware=[])
        self.sent: list[tuple[str, Any, int | None]] = []
        self.open = threading.Event()
        self.open.set()
        self.fails = False

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        self.open.wait()
        if self.fails:
            raise ConnectionError("the test says so")
        self.sent.append((message.actor_name, message.args, delay))
        return message


async def test_a_timer_is_a_delayed_message_with_nothing_but_the_number() -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    sender.close_unpaid("HSO1", after=1200)
    await sender.stop()
    ((name, args, delay),) = broker.sent
    assert (name, args) == ("order.close_unpaid", ("HSO1",))
    assert delay is not None
    assert 1_199_000 < delay <= 1_200_050


async def test_an_announcement_is_sent_at_once_under_the_existing_names() -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    sender.payment_status_changed("HSO1", 1)
    await sender.stop()
    assert broker.sent == [("payment.status_changed", ({"orderSn": "HSO1", "payStatus": 1},), None)]


async def test_the_two_kinds_of_message_have_queues_of_their_own() -> None:
    from workers import actors  # noqa: PLC0415 -- what is sent, seen from the receiving side

    assert actors.close_unpaid.queue_name != actors.payment_status_changed.queue_name


async def test_a_broker_that_hangs_holds_up_nobody() -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    broker.open.clear()
    started = time.perf_counter()
    for number in range(100):
        sender.close_unpaid(f"HSO{number}", after=1)
    await asyncio.sleep(0.05)
    assert time.perf_counter() - started < 0.5
    broker.open.set()
    await sender.stop()
    assert len(broker.sent) == 100


async def test_the_delay_shrinks_by_the_time_that_a_message_waited() -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    sender.close_unpaid("HSO1", after=0.05)
    await asyncio.sleep(0.2)
    await sender.start()
    await sender.stop()
    assert broker.sent[0][2] == 0


async def test_a_message_that_can_not_be_sent_is_counted_and_the_next_one_goes_out() -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    broker.fails = True
    sender.payment_status_changed("HSO1", 1)
    await asyncio.sleep(0.05)
    broker.fails = False
    sender.payment_status_changed("HSO2", 1)
    await sender.stop()
    assert sender.dropped == 1
    assert [args[0]["orderSn"] for _, args, _ in broker.sent] == ["HSO2"]


async def test_more_than_can_wait_is_dropped_and_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "CAPACITY", 2)
    sender = Sender(RecordingBroker())
    for number in range(5):
        sender.close_unpaid(f"HSO{number}", after=1)
    assert sender.dropped == 3
