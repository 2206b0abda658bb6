"""/graphql: bytes to bytes. The GraphQL-over-HTTP rules live here; what a field means does not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.parse_content_type import parse_content_type
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from bff import errors, idempotency_key
from bff.context import RequestContext
from bff.errors import EdgeCode
from bff.tokens import InvalidToken, Tokens, bearer
from domain.order.service import Orders

# Bytes. An operation of the contract with every field takes 3 KiB.
MAX_BODY: Final = 64 * 1024

# One of them makes a GET one that no page of another site can send unasked; the others are what Apollo's clients send.
PREFLIGHT: Final = ("GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name")

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"


class Endpoint(GraphQL[RequestContext, None]):
    """The GraphQL endpoint.

    Args:
        schema: what can be asked.
        orders: the use cases.
        tokens: reads who is asking.
        suggestions: whether an error may name what the client could have meant; names of the schema are not told
            where it may not be asked about itself.
    """

    def __init__(self, schema: Schema, orders: Orders, tokens: Tokens, *, suggestions: bool) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=(), allow_queries_via_get=True)
        self._orders = orders
        self._tokens = tokens
        self._suggestions = suggestions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await self._respond(request))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST" and not _is_safe_get(request):
            reason = f"Operations are sent by POST; queries also by GET, with a header {PREFLIGHT[0]}."
            return _refuse(request, HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, reason))
        try:
            return await self.run(request)
        except HTTPException as refused:
            return _refuse(request, refused)

    def should_render_graphql_ide(self, request: object) -> bool:  # noqa: ARG002 -- Strawberry's signature
        """The explorer has an address of its own."""
        return False

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> RequestContext:  # noqa: ARG002 -- Strawberry's signature
        """Who is asking, with a request's own loaders."""
        keys = request.headers.getlist(idempotency_key.HEADER)
        context = RequestContext(self._orders, request_id(request), keys)
        token = bearer(request.headers.get("authorization"))
        if token is not None:
            try:
                context.caller = self._tokens.user_id(token)
            except InvalidToken as error:
                context.refusal = str(error)
        return context

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Reads a request: its JSON body, or what a GET says in its address.

        Raises:
            HTTPException: it has no such form; nothing was executed.
        """
        if request.method == "GET":
            return _data(_parameters(request.query_params))
        media_type, parameters = parse_content_type(request.content_type or "")
        if media_type.lower() != JSON or parameters.get("charset", "utf-8").lower() != "utf-8":
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json in UTF-8.")
        return _data(_parse(await _read(request._request)))  # type: ignore[attr-defined]  # noqa: SLF001 -- the adapter hides the stream

    async def execute_operation(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- passed through
        """Executes, and answers an operation that the document does not have as GraphQL wants it answered."""
        try:
            return await super().execute_operation(*args, **kwargs)
        except HTTPException as refused:
            if isinstance(refused.__cause__, CannotGetOperationTypeError):
                error = GraphQLError(
                    "The document has no such operation.",
                    extensions={"code": EdgeCode.OPERATION_RESOLUTION_FAILURE},
                )
                return PreExecutionError(data=None, errors=[error])
            if isinstance(refused.__cause__, InvalidOperationTypeError):
                raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, "Only queries are sent by GET.") from refused
            raise

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """The answer as the client sees it; without `data` where nothing was executed."""
        executed = not isinstance(result, PreExecutionError)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [
                errors.formatted(error, request_id(request), executed=executed, suggestions=self._suggestions)
                for error in result.errors
            ]
            if result.data is None and not any("path" in error for error in answer["errors"]):
                # Nothing was executed: an error of execution has a path.
                answer.pop("data", None)
        if result.extensions:
            answer["extensions"] = result.extensions
        return cast("GraphQLHTTPResponse", answer)

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """The answer's head, of the media type that the client likes best."""
        head = await super().get_sub_response(request)
        head.headers["content-type"] = f"{media_type_for(request.headers.get('accept'))}; charset=utf-8"
        return head

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """The answer; its status tells of the operation only to who asked by the newer media type."""
        media_type = sub_response.headers["content-type"]
        status = 200
        if media_type.startswith(GRAPHQL_JSON) and isinstance(response_data, dict) and "data" not in response_data:
            status = _status(cast("dict[str, Any]", response_data))
        response = Response(orjson.dumps(response_data), status_code=status, media_type=media_type)
        if status == HTTPStatus.UNAUTHORIZED:
            response.headers["www-authenticate"] = "Bearer"
        return response


def request_id(request: Request | WebSocket) -> str:
    """The id that the outermost middleware gave this request."""
    return str(request.scope["state"]["request_id"])


def media_type_for(accept: str | None) -> str:
    """The media type of the answer: what the client prefers of the two, the older one where it does not say."""
    best, best_quality = JSON, 0.0
    for part in (accept or JSON).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name in {JSON, GRAPHQL_JSON} and quality > best_quality:
            best, best_quality = name, quality
    return best


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"The body is larger than {MAX_BODY} bytes.")
    return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(400, "The body is not JSON in UTF-8.") from None
    if not isinstance(parsed, dict):
        raise HTTPException(400, "The body must be a JSON object.")
    return parsed


def _is_safe_get(request: Request) -> bool:
    """Whether it is a GET that no other site's page can have sent: a browser asks us before it sends such a header."""
    return request.method == "GET" and any(name in request.headers for name in PREFLIGHT)


def _parameters(said: Mapping[str, str | list[str] | None]) -> dict[str, Any]:
    parameters: dict[str, Any] = {**said}
    for name in ("variables", "extensions"):
        if value := said.get(name):
            try:
                parameters[name] = orjson.loads(str(value))
            except orjson.JSONDecodeError:
                raise HTTPException(400, f"`{name}` is not JSON.") from None
        else:
            parameters.pop(name, None)
    return parameters


def _data(said: dict[str, Any]) -> GraphQLRequestData:
    query = _member(said, "query", str)
    if not query:
        raise HTTPException(400, "There is no `query`.")
    return GraphQLRequestData(
        query=query,
        variables=_member(said, "variables", dict),
        operation_name=_member(said, "operationName", str) or None,
        extensions=_member(said, "extensions", dict),
    )


def _member(body: dict[str, Any], name: str, kind: type) -> Any:  # noqa: ANN401 -- as the kind says
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise HTTPException(400, f"`{name}` must be {'a string' if kind is str else 'an object'}.")
    return value


def _status(answer: dict[str, Any]) -> int:
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    return HTTPStatus.UNAUTHORIZED if EdgeCode.UNAUTHENTICATED in codes else HTTPStatus.BAD_REQUEST


def _refuse(request: Request, refused: HTTPException) -> Response:
    error = {
        "message": refused.reason,
        "extensions": {"code": EdgeCode.BAD_REQUEST, "requestId": request_id(request)},
    }
    response = Response(
        orjson.dumps({"errors": [error]}),
        status_code=refused.status_code,
        media_type=f"{media_type_for(request.headers.get('accept'))}; charset=utf-8",
    )
    if refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["allow"] = "GET, POST"
    return response
