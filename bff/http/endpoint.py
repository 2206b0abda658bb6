"""/graphql: bytes to bytes. The GraphQL-over-HTTP rules live here; what a field means does not."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError, MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import StreamResult
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UnsetType

from bff import metrics
from bff.context import RequestContext
from bff.errors import EdgeCode
from bff.http import idempotency_key, request_body, streamed
from bff.http.admission import Places
from bff.http.edge import Edge
from bff.http.media_types import EVENTS, GRAPHQL_JSON, JSON, answer_type
from bff.http.reply import RETRY_AFTER, Reply
from bff.http.request_body import Refused, Said
from bff.http.sockets import Sockets
from bff.http.streamed import Begun, Events
from bff.http.time_limit import TimeLimit
from bff.http.websocket import Connection, Socket
from bff.identity.tokens import bearer
from bff.watching import SPAN
from domain.tracing import NOTHING

# One of them makes a GET one that no page of another site can send unasked; the others are what Apollo's clients send.
PREFLIGHT: Final = ("GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name")

HEADER_OF_KEY: Final = idempotency_key.HEADER.encode()
_OK: Final[tuple[int, Sequence[tuple[str, str]]]] = (200, ())
_BY_POST: Final = OperationType.from_http("POST")

# Seconds for an answer: above what asking the database and two services may take, below the server's grace at a stop.
BUDGET: Final = 9.0
# Seconds that a WebSocket may be open before its client says who it is.
INIT_WITHIN: Final = timedelta(seconds=10)


class Endpoint(GraphQL[RequestContext, None]):
    """The GraphQL endpoint.

    Args:
        edge: what it serves, to whom, and within which limits.
        places: of requests that are worked on, for what comes by WebSockets; others come with theirs.

    Attributes:
        places: the same.
        limit: how long an answer may take.
        sockets: those that are open.
    """

    graphql_transport_ws_handler_class = Connection
    websocket_adapter_class = Socket

    def __init__(self, edge: Edge, places: Places) -> None:
        super().__init__(
            edge.schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, "graphql-sse"),
            allow_queries_via_get=True,
            connection_init_wait_timeout=INIT_WITHIN,
            allowed_origins=edge.origins,
        )
        self.edge = edge
        self.places = places
        self.limit = TimeLimit(BUDGET)
        self.sockets = Sockets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        await (await self._respond(request))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST" and not _is_safe_get(request):
            reason = f"Operations are sent by POST; queries also by GET, with a header {PREFLIGHT[0]}."
            return _refuse(request, HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, reason))
        media_type = answer_type(request.headers.get("accept"))
        try:
            if request.method == "POST" and media_type != EVENTS:
                return await self._post(request, media_type)
            return await self.run(request)
        except HTTPException as refused:
            return _refuse(request, refused)

    async def _post(self, request: Request, media_type: str) -> Response:
        """The one answer to a POST, which is what most requests want: the steps of Strawberry's view, and no adapters.

        Raises:
            HTTPException: nothing was executed, or there was no answer in time.
        """
        context = await self._context(request)
        reply = await self._answered(context, await request_body.read_post(request), media_type)
        return reply.as_response()

    async def straight(self, body: bytes, headers: Mapping[bytes, bytes], request_id: str) -> Reply:
        """The same of a request whose body is there as a whole, and each of whose headers is there once.

        Args:
            body: as it was received.
            headers: by their names in small letters.
            request_id: the request's id.
        """
        accept = headers.get(b"accept")
        media_type = answer_type(None if accept is None else accept.decode("latin-1"))
        try:
            edge = self.edge
            key = headers.get(HEADER_OF_KEY)
            keys = () if key is None else (key.decode("latin-1"),)
            context = RequestContext(edge.orders, edge.following, edge.allowance, request_id, keys)
            authorization = headers.get(b"authorization")
            token = None if authorization is None else bearer(authorization.decode("latin-1"))
            if token is not None:
                await context.identify(edge.tokens, token)
            request_body.check_type(headers.get(b"content-type", b"").decode("latin-1"))
            return await self._answered(context, request_body.read_bytes(body), media_type)
        except HTTPException as refused:
            return _refusal(refused, request_id, media_type)

    async def _answered(self, context: RequestContext, said: Said, media_type: str) -> Reply:
        query = await self.edge.documents.text(said)
        execution = self.schema.execute(
            query,
            variable_values=said.variables,
            context_value=context,
            operation_name=said.operation_name,
            allowed_operation_types=_BY_POST,
            operation_extensions=said.extensions,
        )
        result = await self._carried_out(execution, query, said)
        return _reply(self.edge.answer(result, context.request_id), f"{media_type}; charset=utf-8")

    async def reject_websocket(self, request: WebSocket) -> WebSocket:
        """Turns a page of another site away."""
        metrics.refused(EdgeCode.FORBIDDEN)
        return await super().reject_websocket(request)

    def should_render_graphql_ide(self, request: object) -> bool:  # noqa: ARG002 -- Strawberry's signature
        """The explorer has an address of its own."""
        return False

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> RequestContext:  # noqa: ARG002 -- Strawberry's signature
        """Who is asking, with a request's own loaders."""
        context = await self._context(request)
        context.span = request.scope.get(SPAN, NOTHING)
        return context

    async def _context(self, request: Request | WebSocket) -> RequestContext:
        edge = self.edge
        keys = request.headers.getlist(idempotency_key.HEADER)
        context = RequestContext(edge.orders, edge.following, edge.allowance, request_id(request), keys)
        token = bearer(request.headers.get("authorization"))
        if token is not None:
            await context.identify(edge.tokens, token)
        return context

    async def on_ws_connect(self, context: RequestContext) -> UnsetType | dict[str, object] | None:
        """Who is asking, as the first message of a WebSocket says it; its word counts more than a header's.

        Raises:
            ConnectionRejectionError: the token is bad. Who has none may ask about the schema.
            Crowded: there are too many of this guest, or of nobody in particular.
        """
        said = context.connection_params or {}
        value = next((value for name, value in said.items() if name.lower() == "authorization"), None)
        token = bearer(value) or value if isinstance(value, str) else None
        if token is not None:
            await context.identify(self.edge.tokens, token)
        if token is not None and context.caller is None:
            metrics.refused(EdgeCode.UNAUTHENTICATED)
            raise ConnectionRejectionError
        self.sockets.enter(context)
        return UnsetType()

    def decode_json(self, data: str | bytes) -> object:
        """Reads JSON: no depth and no number of digits is a bug."""
        return orjson.loads(data)

    def encode_json(self, data: object) -> str | bytes:
        """Writes JSON."""
        return orjson.dumps(data)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Reads a request, and finds the document that it means.

        Raises:
            Refused: there is none; nothing was executed.
        """
        said = await request_body.read(request)
        wanted = answer_type(request.headers.get("accept"))
        return GraphQLRequestData(
            query=await self.edge.documents.text(said),
            variables=said.variables,
            operation_name=said.operation_name,
            extensions=said.extensions,
            protocol="sse" if wanted == EVENTS else "http",
        )

    async def execute_operation(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- passed through
        """Executes what does not come by POST, or wants events.

        The first event is waited for before the answer begins, and so in the request's place. Where it is late, that is
        an event, too, and no 504: a client of events sends again by itself what a server could not answer, and a
        mutation may have been carried out.
        """
        data: GraphQLRequestData = kwargs["request_data"]
        if data.protocol == "sse":
            kwargs["context"].streams = True
            results = cast("StreamResult", await super().execute_operation(*args, **kwargs))
            return await streamed.begin(results, self.limit)
        said = Said(data.query, None, data.variables, data.operation_name, data.extensions or {})
        return await self._carried_out(super().execute_operation(*args, **kwargs), data.query, said)

    async def _carried_out(self, execution: Awaitable[Any], query: str | None, said: Said) -> Any:  # noqa: ANN401 -- as executed
        """Executes in time, and answers an operation that the document does not have as GraphQL wants it answered."""
        try:
            result = await self.limit.keep(execution)
        except TimeoutError:
            reason = streamed.too_late(self.limit)
            raise Refused(HTTPStatus.GATEWAY_TIMEOUT, reason, EdgeCode.UPSTREAM_UNAVAILABLE) from None
        except (HTTPException, CannotGetOperationTypeError, MissingQueryError) as refused:
            match refused.__cause__ if isinstance(refused, HTTPException) else refused:
                case CannotGetOperationTypeError():
                    error = GraphQLError(
                        "The document has no such operation.",
                        extensions={"code": EdgeCode.OPERATION_RESOLUTION_FAILURE},
                    )
                    return PreExecutionError(data=None, errors=[error])
                case InvalidOperationTypeError():
                    raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Only queries are sent by GET.") from refused
                case MissingQueryError():
                    raise Refused(HTTPStatus.BAD_REQUEST, "No GraphQL query found in the request") from refused
            raise
        if said.extensions and isinstance(result, ExecutionResult) and not isinstance(result, PreExecutionError):
            # One that came with its name, maybe.
            await self.edge.documents.passed(Said(query, None, said.variables, said.operation_name, said.extensions))
        return result

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """The answer as the client sees it; without `data` where nothing was executed."""
        return self.edge.answer(result, request_id(request))

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """The answer's head, of the media type that the client likes best."""
        head = await super().get_sub_response(request)
        if not isinstance(request, WebSocket):
            head.headers["content-type"] = f"{answer_type(request.headers.get('accept'))}; charset=utf-8"
        return head

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """The answer."""
        return _reply(response_data, sub_response.headers["content-type"]).as_response()

    async def _create_streaming_response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 -- passed through
        return Events(await super()._create_streaming_response(*args, **kwargs), cast("Begun", kwargs["result"]))

    async def create_streaming_response(
        self,
        request: Request | WebSocket,  # noqa: ARG002 -- Strawberry's signature
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,  # noqa: ARG002 -- its media type is not that of events
        headers: Mapping[str, str],
    ) -> Response:
        """The answer as server-sent events."""
        return StreamingResponse(_with_line_feeds(stream()), headers=headers)


def _reply(answer: GraphQLHTTPResponse | list[GraphQLHTTPResponse], content_type: str) -> Reply:
    """The answer; its status tells of the operation only to who asked by the newer media type."""
    status, more = _OK
    if content_type.startswith(GRAPHQL_JSON) and isinstance(answer, dict) and "data" not in answer:
        status, more = _status(cast("dict[str, Any]", answer))
    return Reply(status, content_type, orjson.dumps(answer), more)


async def _with_line_feeds(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """Events whose lines end in plain line feeds: of the three ends that the standard allows, urql knows only this."""
    async for event in events:
        yield event.replace("\r\n", "\n")


def request_id(request: Request | WebSocket) -> str:
    """The id that the outermost middleware gave this request."""
    return str(request.scope["state"]["request_id"])


def _is_safe_get(request: Request) -> bool:
    """Whether it is a GET that no other site's page can have sent: a browser asks us before it sends such a header."""
    return request.method == "GET" and any(name in request.headers for name in PREFLIGHT)


def _status(answer: dict[str, Any]) -> tuple[int, Sequence[tuple[str, str]]]:
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    if EdgeCode.UNAUTHENTICATED in codes:
        return HTTPStatus.UNAUTHORIZED, [("www-authenticate", "Bearer")]
    if EdgeCode.RATE_LIMITED in codes:
        return HTTPStatus.TOO_MANY_REQUESTS, [("retry-after", str(_retry_after(answer)))]
    if EdgeCode.UPSTREAM_UNAVAILABLE in codes:
        # Nobody can say now who is asking. 400 would be the client's fault.
        return HTTPStatus.SERVICE_UNAVAILABLE, [("retry-after", str(RETRY_AFTER))]
    return HTTPStatus.BAD_REQUEST, ()


def _retry_after(answer: dict[str, Any]) -> int:
    return max(int(error["extensions"].get("retryAfter", 0)) for error in answer["errors"])


def _refuse(request: Request, refused: HTTPException) -> Response:
    return _refusal(refused, request_id(request), answer_type(request.headers.get("accept"))).as_response()


def _refusal(refused: HTTPException, request_id: str, media_type: str) -> Reply:
    code = refused.code if isinstance(refused, Refused) else EdgeCode.BAD_REQUEST
    metrics.refused(code)
    error = {"message": refused.reason, "extensions": {"code": code, "requestId": request_id}}
    return Reply(
        refused.status_code,
        f"{JSON if media_type == EVENTS else media_type}; charset=utf-8",
        orjson.dumps({"errors": [error]}),
        [("allow", "GET, POST")] if refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED else (),
    )
