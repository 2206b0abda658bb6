"""What a request leaves for those who watch: its spans, and in its log lines who asked."""

from collections.abc import Iterator
from typing import Final, cast

import structlog
from graphql import get_operation_ast
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.extensions import SchemaExtension

from bff.context import RequestContext
from domain import tracing
from domain.tracing import Kind

# Where there are operations; health, figures and pages are asked for by whoever watches.
WATCHED: Final = "/graphql"
# Characters. The names of operations are the client's, and longer ones tell nobody anything.
MAX_NAME: Final = 64
_SERVER_ERROR: Final = 500


class TracedRequests:
    """ASGI middleware: a request is a step of whoever sent it with a `traceparent`, or begins a trace.

    Neither address nor headers are told: a query by GET has its variables there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != WATCHED or not tracing.is_on():
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        parent = {name: headers[name] for name in (tracing.TRACEPARENT, tracing.TRACESTATE) if name in headers}
        about = {"http.request.method": _method(scope), "http.route": WATCHED}
        with tracing.span(f"{_method(scope)} {WATCHED}", Kind.SERVER, about, parent=parent) as span:

            async def note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note({"http.response.status_code": message["status"]})
                    if message["status"] >= _SERVER_ERROR:
                        span.fail(str(message["status"]))
                await send(message)

            await self.app(scope, receive, note)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in {"GET", "POST"} else "_OTHER"


class Watch(SchemaExtension):
    """An operation: a span, and the guest's number in every log line."""

    def on_operation(self) -> Iterator[None]:
        """Around all of it, from the parsing of its document to the last field."""
        context = cast("RequestContext", self.execution_context.context)
        with structlog.contextvars.bound_contextvars(**({"user_id": context.caller} if context.caller else {})):
            if not tracing.is_on():
                yield
                return
            with tracing.span("graphql") as span:
                try:
                    yield
                finally:
                    self._tell(span, context)

    def _tell(self, span: tracing.Span, context: RequestContext) -> None:
        # Of what was asked for, not what the request says beside it: that may be any text.
        document = self.execution_context.graphql_document
        found = document and get_operation_ast(document, self.execution_context.operation_name)
        if found:
            name = found.name.value[:MAX_NAME] if found.name else ""
            span.rename(f"{found.operation.value} {name}".strip())
            span.note({"graphql.operation.type": found.operation.value, "graphql.operation.name": name})
        span.note({"homestay.request.id": context.request_id})
        if context.caller:
            span.note({"user.id": str(context.caller)})
