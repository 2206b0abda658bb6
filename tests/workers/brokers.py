"""Brokers for tests of what sends messages."""

import threading
from typing import Any

import dramatiq
from dramatiq.brokers.stub import StubBroker


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
