import asyncio
import threading
from typing import Any

import dramatiq
import pytest

from tests.workers.brokers import RecordingBroker
from workers import actors
from workers import sender as sender_module
from workers.sender import Sender


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


async def test_a_broker_that_hangs_holds_up_nobody() -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    broker.open.clear()
    for number in range(100):
        sender.close_unpaid(f"HSO{number}", after=1)
    await asyncio.sleep(sender_module.COMPANY + 0.05)
    # The broker hangs still, and the loop is here.
    assert broker.sent == []
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
    sender.close_unpaid("HSO1", after=1)
    await asyncio.sleep(sender_module.COMPANY + 0.1)
    broker.fails = False
    sender.close_unpaid("HSO2", after=1)
    await sender.stop()
    assert sender.dropped == 1
    assert [args for _, args, _ in broker.sent] == [("HSO2",)]


async def test_more_than_can_wait_is_dropped_and_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "CAPACITY", 2)
    sender = Sender(RecordingBroker())
    for number in range(5):
        sender.close_unpaid(f"HSO{number}", after=1)
    assert sender.dropped == 3


async def test_a_message_is_made_when_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = RecordingBroker()
    sender = Sender(broker)
    make, makers = actors.close_unpaid_message, []

    def made(sn: str) -> dramatiq.Message[Any]:
        makers.append(threading.current_thread())
        return make(sn)

    monkeypatch.setattr(actors, "close_unpaid_message", made)
    await sender.start()
    for number in range(3):
        sender.close_unpaid(f"HSO{number}", after=1)
    assert makers == []
    await sender.stop()
    assert len(makers) == 3
    assert threading.current_thread() not in makers
    assert [args for _, args, _ in broker.sent] == [("HSO0",), ("HSO1",), ("HSO2",)]


async def test_who_stops_waits_for_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "COMPANY", 60)
    monkeypatch.setattr(sender_module, "FLUSH", 30)
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    sender.close_unpaid("HSO1", after=1)
    await asyncio.sleep(0.05)
    assert broker.sent == []
    # Else it gives up before the company would have come.
    await sender.stop()
    assert len(broker.sent) == 1


async def test_what_can_not_be_sent_in_time_holds_up_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "FLUSH", 0.1)
    broker = RecordingBroker()
    sender = Sender(broker)
    await sender.start()
    broker.open.clear()
    sender.close_unpaid("HSO1", after=1)
    await sender.stop()
    # The broker hangs still.
    assert broker.sent == []
    broker.open.set()
