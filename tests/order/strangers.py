"""A gRPC service that somebody else wrote: it says what the test wants, down to the bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc import aio

from domain import rpc

# An answer that never comes.
SILENCE: Final = object()
# Every status but those that mean something else: an answer, none, and no such method.
FAILURES: Final = [
    code
    for code in grpc.StatusCode
    if code not in {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED}
]


class Stranger(grpc.GenericRpcHandler):
    """Answers each method as told: a message, bytes that may be none, a status, or `SILENCE`.

    A method that it was told nothing of it does not have.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.requests: list[bytes] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        method = handler_call_details.method.rpartition("/")[2]
        self.asked.append(method)
        if method not in self.answers:
            return None
        answer = self.answers[method]

        async def give(request: bytes, context: "aio.ServicerContext[bytes, bytes]") -> bytes:
            self.requests.append(request)
            if answer is SILENCE:
                await asyncio.Event().wait()
            if isinstance(answer, grpc.StatusCode):
                await context.abort(answer, "the test says so")
            return answer.SerializeToString() if isinstance(answer, Message) else bytes(answer)

        handler: Any = grpc.unary_unary_rpc_method_handler
        return handler(give)  # type: ignore[no-any-return]  # its types know no coroutines


@asynccontextmanager
async def serving(stranger: Stranger) -> AsyncIterator[aio.Channel]:
    """A channel to the stranger, on a port of its own."""
    server = aio.server(handlers=[stranger])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with rpc.channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(grace=None)
