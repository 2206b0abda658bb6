"""A worker program for tests that end it: `dramatiq tests.workers.timers`, on the broker of the settings.

What ran is a line in the file that DIARY names, since what is written nowhere but in Redis goes with Redis.
"""

import os
import time
from typing import Final

import dramatiq

from workers import broker as brokers
from workers.settings import settings

QUEUE: Final = "timers"

_diary: Final = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
broker: Final = brokers.build(settings())
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="note", queue_name=QUEUE, time_limit=60_000)
def note(name: str, seconds: float = 0) -> None:
    """Works for so long, and notes when that began and ended."""
    began = time.time()
    time.sleep(seconds)
    # One write: several threads and processes share the file.
    os.write(_diary, f"{name} {began} {time.time()}\n".encode())
