"""What a request leaves for those who watch: figures, spans, and in its log lines who asked."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from typing import Final, cast

import structlog
from graphql import OperationDefinitionNode, OperationType, get_operation_ast
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.extensions import SchemaExtension

from bff.context import RequestContext
from bff.http.media_types import EVENTS, answer_type
from bff.metrics import MAX_NAME, RESPONSES, Operations
from domain import tracing
from domain.tracing import Kind

# Where there are operations; health, figures and pages are asked for by whoever watches.
WATCHED: Final = "/graphql"
_SERVER_ERROR: Final = 500
# Where a request's scope has its step.
SPAN: Final = "homestay.span"


class WatchedRequests:
    """ASGI middleware: counts answers; a request is a step of whoever sent it with a `traceparent`, or begins a trace.

    Neither address nor headers are told: a query by GET has its variables there. What is answered for as long as its
    client listens is a trace of its own, with a link to whoever sent it: a step that takes hours is none of theirs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != WATCHED:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        with _span(scope, headers) as span:
            scope[SPAN] = span

            async def note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    count(status)
                    span.note({"http.response.status_code": status})
                    if status >= _SERVER_ERROR:
                        span.fail(str(status))
                await send(message)

            await self.app(scope, receive, note)


def count(status: int) -> None:
    """Counts an answer of /graphql."""
    _answers(status).inc()


@cache
def _answers(status: int) -> Counter:
    return RESPONSES.labels(int(status))


def _span(scope: Scope, headers: Headers) -> AbstractContextManager[tracing.Span]:
    if not tracing.is_on():
        return tracing.NOTHING
    method = scope["method"] if scope["method"] in {"GET", "POST"} else "_OTHER"
    about = {"http.request.method": method, "http.route": WATCHED}
    if answer_type(headers.get("accept")) == EVENTS:
        return operation(headers, about)
    parent = {name: headers[name] for name in (tracing.TRACEPARENT, tracing.TRACESTATE) if name in headers}
    return tracing.span(f"{method} {WATCHED}", Kind.SERVER, about, parent=parent)


def operation(headers: Headers, about: tracing.Attributes) -> AbstractContextManager[tracing.Span]:
    """The step that an operation is whose answers come piece by piece, in a trace of its own.

    Args:
        headers: of the request that it came by, or its connection: whoever sent that is linked.
        about: what is known of it before it is read.
    """
    if not tracing.is_on():
        return tracing.NOTHING
    links = tracing.kept(headers.get(tracing.TRACEPARENT))
    return tracing.span("graphql", Kind.SERVER, about, parent={}, links=links)


class Watch(SchemaExtension):
    """An operation: figures, a span, and the guest's number in every log line."""

    _executed = False

    def on_operation(self) -> Iterator[None]:
        """Around all of it, from the parsing of its document to the last field."""
        context = cast("RequestContext", self.execution_context.context)
        if context.caller is not None:
            # Until this task ends, which is as long as its request or operation takes.
            structlog.contextvars.bind_contextvars(user_id=context.caller.user_id)
        started = time.perf_counter()
        try:
            if not tracing.is_on():
                yield
                return
            if context.streams:
                # What comes piece by piece may end in another task than it began in, and a step can't. Whoever carries
                # the pieces has begun one; it is told what is known, as soon as it is.
                try:
                    yield
                finally:
                    if not self._executed:
                        self._tell(context.span, context)
                return
            with tracing.span("graphql") as span:
                try:
                    yield
                finally:
                    self._tell(span, context)
        finally:
            self._count(time.perf_counter() - started)

    def on_execute(self) -> Iterator[None]:
        """Called where it was refused by nobody."""
        self._executed = True
        context = cast("RequestContext", self.execution_context.context)
        if context.streams and tracing.is_on():
            self._tell(context.span, context)
        yield

    def _operation(self) -> OperationDefinitionNode | None:
        # Of what was asked for, not what the request says beside it: that may be any text.
        document = self.execution_context.graphql_document
        return None if document is None else get_operation_ast(document, self.execution_context.operation_name)

    def _count(self, seconds: float) -> None:
        found = self._operation()
        if found is not None and found.operation is OperationType.SUBSCRIPTION:
            return  # it takes as long as its client listens
        name = found.name.value if found is not None and found.name is not None else None
        _operations.observe(name, seconds, executed=self._executed)

    def _tell(self, span: tracing.Span, context: RequestContext) -> None:
        found = self._operation()
        if found is not None:
            name = found.name.value[:MAX_NAME] if found.name else ""
            span.rename(f"{found.operation.value} {name}".strip())
            span.note({"graphql.operation.type": found.operation.value, "graphql.operation.name": name})
        span.note({"homestay.request.id": context.request_id})
        if context.caller is not None:
            span.note({"user.id": str(context.caller.user_id)})


class known_operation:  # noqa: N801 -- it reads as a function
    """Around an operation of a known guest of which no span is wanted: the same as `Watch`, for those that came before.

    Args:
        context: whose it is.
        name: as its document has it.
    """

    def __init__(self, context: RequestContext, name: str | None) -> None:
        self._caller = context.caller
        self._name = name

    def __enter__(self) -> None:
        if self._caller is not None:
            structlog.contextvars.bind_contextvars(user_id=self._caller.user_id)
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        _operations.observe(self._name, time.perf_counter() - self._started)


_operations: Final = Operations()
