"""Takes letters to the broker: there each becomes the message of its topic's name."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import dramatiq

from domain.errors import InvalidInput
from domain.outbox import Letter
from workers import actors
from workers import broker as brokers


class Courier:
    """Sends messages from a thread of its own: a broker that hangs must hang there, not on the loop."""

    name = "courier"

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="courier")

    async def start(self) -> None:
        """Does nothing: the thread starts with the first letter, and the broker connects then."""

    async def stop(self) -> None:
        """Takes no letter any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def payment_status_changed(self, letter: Letter) -> None:
        """Announces that an order's payment changed.

        Raises:
            InvalidInput: the letter does not say which order, or how it stands.
            Exception: the broker did not take the message, or it is not known whether it did.
        """
        match letter.payload:
            case {"orderSn": str(order_sn), "payStatus": int(pay_status)}:
                message = actors.payment_status_message(order_sn, pay_status)
            case _:
                raise InvalidInput("This is no news of a payment.")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, brokers.send, self._broker, [(message, None)])
