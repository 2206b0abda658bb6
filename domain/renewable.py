"""A gRPC channel that can be told to leave its connection: one that the network lost looks like a slow service.

gRPC would find that out by pings of its own, ten seconds later at best; and a service of the existing system takes
frequent pings for an attack.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, Self, TypeVar

import grpc
from grpc import aio

Request = TypeVar("Request")
Response = TypeVar("Response")

# Seconds that calls under way on the connection that is left may still take; more than any call has.
_GRACE: Final = 2.5


class RenewableChannel(aio.Channel):
    """Calls of one answer each, on whatever connection is the present one. Belongs to the loop that makes it.

    Args:
        connect: opens a channel of gRPC's own; none may share its connection with another.
    """

    def __init__(self, connect: Callable[[], aio.Channel]) -> None:
        self._connect = connect
        self.present = connect()
        self._left: set[asyncio.Task[None]] = set()

    def renew(self) -> None:
        """Has calls from now on use a new connection. Those under way go on where they are."""
        leaving = asyncio.create_task(self.present.close(_GRACE))
        self._left.add(leaving)
        leaving.add_done_callback(self._left.discard)
        self.present = self._connect()

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Request], bytes] | None = None,
        response_deserializer: Callable[[bytes], Response] | None = None,
        **how: Any,  # noqa: ANN401 -- what generated code adds for gRPC's own use
    ) -> "aio.UnaryUnaryMultiCallable[Request, Response]":
        """A method of the service."""
        return _Method(
            self,
            lambda channel: channel.unary_unary(method, request_serializer, response_deserializer, **how),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Ends it with its connections, also those that were left."""
        for leaving in self._left:
            leaving.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)
        await self.present.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 -- gRPC's signature
        """The state of the present connection."""
        return self.present.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the present connection has another state."""
        await self.present.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until the present connection is there."""
        await self.present.channel_ready()

    def unary_stream(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401 -- handed on as they are
        """A method that streams stays on the connection on which it was found; nothing of ours asks so."""
        return self.present.unary_stream(*args, **named)

    def stream_unary(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        """As `unary_stream`."""
        return self.present.stream_unary(*args, **named)

    def stream_stream(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        """As `unary_stream`."""
        return self.present.stream_stream(*args, **named)


class _Method(aio.UnaryUnaryMultiCallable, Generic[Request, Response]):  # type: ignore[type-arg] # it is generic in its type stubs only
    """A method, wherever the channel is connected now."""

    def __init__(
        self,
        channel: RenewableChannel,
        find: "Callable[[aio.Channel], aio.UnaryUnaryMultiCallable[Request, Response]]",
    ) -> None:
        self._channel = channel
        self._find = find
        self._found_on = channel.present
        self._method = find(channel.present)

    def __call__(self, request: Request, **how: Any) -> "aio.UnaryUnaryCall[Request, Response]":  # noqa: ANN401
        if self._found_on is not self._channel.present:
            self._found_on = self._channel.present
            self._method = self._find(self._found_on)
        return self._method(request, **how)
