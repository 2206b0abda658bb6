"""An answer as server-sent events, that ends when its reader is gone or reads too slowly."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

log = structlog.get_logger(__name__)

EVENTS: Final = "text/event-stream"
# Seconds that a client may leave what was sent unread, with the buffers on the way full.
SLOWEST: Final = 10.0


class EventStream(StreamingResponse):
    """Server-sent events.

    Args:
        events: as text, each whole.
        headers: of the answer, its media type among them.
    """

    def __init__(self, events: AsyncIterator[str], headers: Mapping[str, str]) -> None:
        super().__init__(events, headers=headers)

    async def stream_response(self, send: Send) -> None:
        """Sends what comes, as long as the client takes it."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(SLOWEST):
                    await send(message)
            except TimeoutError:
                log.info("a reader of events was too slow")
                raise OSError("a reader of events was too slow") from None

        async with aclosing(self.body_iterator):  # type: ignore[type-var] # it is a generator here
            await super().stream_response(send_in_time)
