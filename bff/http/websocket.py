"""graphql-transport-ws, within this edge's limits: who asks, for how long, and how much at once."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema.schema import StreamResult
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.utils.aio import aclosing

from bff import metrics, watching
from bff.context import EXPIRED, RequestContext
from bff.errors import MASK, EdgeCode
from bff.http import request_body, sockets, streamed
from bff.http.reply import RETRY_AFTER, TOO_MANY
from bff.http.request_body import Refused, Said
from bff.http.sockets import Crowded
from bff.http.streamed import Begun
from domain.tracing import Span

if TYPE_CHECKING:
    from bff.http.endpoint import Endpoint

log = structlog.get_logger(__name__)

# Operations under way on one connection.
MAX_OPERATIONS: Final = 20
# Bytes of the longest id of an operation; clients make UUIDs or count.
MAX_ID: Final = 128

# What is said of an operation before it is read.
_ABOUT: Final = {"network.protocol.name": "websocket"}

# Close codes of the protocol.
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
SUBSCRIBER_EXISTS: Final = 4409
# Of WebSockets as such; clients of the protocol come again after a pause.
TRY_AGAIN_LATER: Final = 1013

# What those mean that say of no operation what is wrong. 4403 has several meanings: who finds one, counts.
_COUNTED: Final = {
    4400: EdgeCode.BAD_REQUEST,
    UNAUTHORIZED: EdgeCode.UNAUTHENTICATED,
    4408: EdgeCode.BAD_REQUEST,
    SUBSCRIBER_EXISTS: EdgeCode.BAD_REQUEST,
    4429: EdgeCode.BAD_REQUEST,
}

NOBODY: Final = f"Without a token, a WebSocket is open for {sockets.NOBODY_FOR:.0f} s."


class Socket(ASGIWebSocketAdapter):
    """A WebSocket whose messages are text."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Sends a message.

        Raises:
            WebSocketDisconnected: the client is gone, or reads so slowly that the server has given it up.
        """
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            # RuntimeError is how Starlette says that it was closed already.
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Closes it, if it is still there: two may want to, and the client may do so itself."""
        if code in _COUNTED:
            metrics.refused(_COUNTED[code])
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            await super().close(code, reason)


class Connection(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """One client's connection."""

    view: "Endpoint"
    _expiry: asyncio.Task[None] | None = None

    async def handle_message(self, message: Message) -> None:
        """Takes a message, if it is one."""
        if not isinstance(message, dict) or not isinstance(message.get("id", ""), str):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Learns who is asking, and until when."""
        try:
            await super().handle_connection_init(message)
        except Crowded as crowded:
            metrics.refused(EdgeCode.OVERLOADED if self.context.caller is None else EdgeCode.RATE_LIMITED)
            # Before it is let in: a client that is goes on to try again without a pause.
            await self.websocket.close(TRY_AGAIN_LATER, str(crowded))
            return
        if self.connection_acknowledged and self._expiry is None:
            self._expiry = asyncio.create_task(self._expire(), name="socket expires")

    async def _expire(self) -> None:
        if self.context.caller is None:
            await asyncio.sleep(sockets.NOBODY_FOR)
            await self.websocket.close(FORBIDDEN, NOBODY)
            return
        await asyncio.sleep(self.context.seconds_left)
        # Its streams end by themselves and say why; so the client hears it once more, from the connection.
        await asyncio.sleep(0.1)
        await self.websocket.close(FORBIDDEN, EXPIRED)

    async def shutdown(self) -> None:
        """Ends all that goes on here."""
        self.view.sockets.leave(self.context)
        if self._expiry is not None:
            self._expiry.cancel()
            await asyncio.wait({self._expiry})
        await super().shutdown()

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begins an operation, if it is one and there is room for it."""
        name = message.get("id")
        try:
            said = request_body.said(message.get("payload"))
        except Refused as refused:
            await self.handle_invalid_message(refused.reason)
            return
        if not self.connection_acknowledged:
            await self.websocket.close(UNAUTHORIZED, "Unauthorized")
        elif not name or len(name) > MAX_ID:
            await self.handle_invalid_message("An operation needs an id.")
        elif name in self.operations:
            await self.websocket.close(SUBSCRIBER_EXISTS, f"Subscriber for {name} already exists")
        else:
            operation = _Operation(self, name, said)
            self.operations[name] = operation
            operation.task = asyncio.create_task(self.run_operation(operation), name="operation of a WebSocket")
            operation.task.add_done_callback(self._task_done)

    async def run_operation(self, operation: Operation[RequestContext, None]) -> None:
        """Runs one operation, and tells its client what comes of it."""
        said = cast("_Operation", operation).said
        try:
            with suppress(WebSocketDisconnected):
                await self._run(operation, said)
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except Exception as error:
            log.exception("an operation of a WebSocket failed", exc_info=error)
            with suppress(WebSocketDisconnected):
                await operation.send_initial_errors([_bug()])
        finally:
            # A message that is its last has freed its id already, maybe for another operation.
            if self.operations.get(operation.id) is operation:
                del self.operations[operation.id]

    async def _run(self, operation: Operation[RequestContext, None], said: Said) -> None:
        headers = cast("Socket", self.websocket).ws.headers
        with watching.operation(headers, _ABOUT) as span:
            await self._carry_out(operation, said, span)

    async def _carry_out(self, operation: Operation[RequestContext, None], said: Said, span: Span) -> None:
        if len(self.operations) > MAX_OPERATIONS:
            await operation.send_initial_errors([_too_many()])
            return
        with self.view.places.taken() as has_place:
            begun = await self._begin(said, span) if has_place else None
        if begun is None:
            await operation.send_initial_errors([_overloaded()])
            return
        async with aclosing(begun):
            async for result in begun:
                if isinstance(result, PreExecutionError):
                    await operation.send_initial_errors(result.errors or [])
                    return
                await operation.send_next(cast("ExecutionResult", result))
        await self.view.edge.documents.passed(said)

    async def _begin(self, said: Said, span: Span) -> Begun:
        """The answers, the first of which is there."""
        return await streamed.begin(self._answers(said, span), self.view.limit)

    async def _answers(self, said: Said, span: Span) -> StreamResult:
        try:
            query = await self.view.edge.documents.text(said)
        except Refused as refused:
            error = GraphQLError(refused.reason, extensions={"code": refused.code})
            yield PreExecutionError(data=None, errors=[error])
            return
        results = await self.schema.stream(
            query,
            variable_values=said.variables,
            context_value=self.context.again(span),
            operation_name=said.operation_name,
            operation_extensions=said.extensions,
        )
        async with aclosing(results):
            async for result in results:
                yield result

    def forget_id(self, id: str) -> None:  # noqa: A002 -- Strawberry's signature
        """Frees an operation's id."""
        self.operations.pop(id, None)


class _Operation(Operation[RequestContext, None]):
    """One operation, whose answers look as all answers of this edge do."""

    __slots__ = ("said",)

    def __init__(self, handler: Connection, id: str, said: Said) -> None:  # noqa: A002 -- Strawberry's signature
        super().__init__(handler, id, said.query or "", said.variables, said.operation_name)
        self.said = said

    async def send_initial_errors(self, errors: list[GraphQLError]) -> None:
        """Says why nothing was executed."""
        answer = self._told(PreExecutionError(data=None, errors=errors))
        await self.send_operation_message({"id": self.id, "type": "error", "payload": answer["errors"]})

    async def send_next(self, execution_result: ExecutionResult) -> None:
        """Says what came."""
        await self.send_operation_message({"id": self.id, "type": "next", "payload": self._told(execution_result)})

    def _told(self, result: ExecutionResult) -> Any:  # noqa: ANN401 -- an answer as JSON
        connection = cast("Connection", self.handler)
        return connection.view.edge.answer(result, connection.context.request_id)


def _overloaded() -> GraphQLError:
    log.warning("operation of a WebSocket not begun: too many at once")
    return GraphQLError(TOO_MANY, extensions={"code": EdgeCode.OVERLOADED, "retryAfter": RETRY_AFTER})


def _bug() -> GraphQLError:
    return GraphQLError(MASK, extensions={"code": EdgeCode.INTERNAL_SERVER_ERROR})


def _too_many() -> GraphQLError:
    return GraphQLError(
        f"At most {MAX_OPERATIONS} operations may be under way on one connection.",
        extensions={"code": EdgeCode.RATE_LIMITED, "retryAfter": 1},
    )
