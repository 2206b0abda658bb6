"""Who watches an order in this process, and is woken when it changes."""

import asyncio
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class LocalWatch:
    """One who watches one order, on the loop where it was made; `domain.order.ports.Watch`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Says that the order may have changed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def changed(self) -> None:
        """Waits until the order may have changed since it was asked last."""
        await self._changed.wait()
        self._changed.clear()


class LocalChanges:
    """`domain.order.ports.Changes` within one process, whatever threads and loops it has."""

    def __init__(self) -> None:
        self._watches: dict[str, set[LocalWatch]] = {}
        self._lock = threading.Lock()

    def tell(self, sns: Collection[str]) -> None:
        """Wakes whoever watches these orders here."""
        with self._lock:
            woken = [watch for sn in sns for watch in self._watches.get(sn, ())]
        for watch in woken:
            watch.wake()

    def tell_all(self) -> None:
        """Wakes everybody: something may have been missed."""
        with self._lock:
            sns = list(self._watches)
        self.tell(sns)

    @contextmanager
    def watch(self, sn: str) -> Iterator[LocalWatch]:
        """Watches an order within the context."""
        watch = LocalWatch()
        with self._lock:
            self._watches.setdefault(sn, set()).add(watch)
        try:
            yield watch
        finally:
            with self._lock:
                watches = self._watches[sn]
                watches.discard(watch)
                if not watches:
                    del self._watches[sn]

    def __len__(self) -> int:
        """How many orders are watched."""
        return len(self._watches)
