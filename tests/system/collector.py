"""Somebody whom programs send their traces to: an OTLP receiver that keeps all spans in memory."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

# Seconds. A program sends its spans each 5 s by itself, the tests' programs each 0.2 s.
PATIENCE: Final = 20.0


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: list[tuple[str, str]]
    start: int
    failed: bool
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str]:
        return (self.trace, self.id)


class Collector:
    """The receiver."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add(_Service(self.spans), self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def environment(self) -> dict[str, str]:
        """What sends a program's spans here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0)

    def find(self, name: str, **wanted: str) -> Span:
        """Waits for the span of this name, and gives the first."""
        return self.wait_for(
            lambda: (
                span
                for span in sorted(self.spans, key=lambda span: span.start)
                if span.name == name and all(getattr(span, key) == value for key, value in wanted.items())
            ),
            f"{name} {wanted}",
        )

    def wait_for(self, found: Callable[[], Iterable[Span]], what: str) -> Span:
        end = time.monotonic() + PATIENCE
        while (span := next(iter(found()), None)) is None:
            assert time.monotonic() < end, f"no span {what} among {sorted({span.name for span in self.spans})}"
            time.sleep(0.05)
        return span

    def drawn(self, trace: str) -> list[str]:
        """A trace as a tree, a line for each span."""
        spans = sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.start)
        known = {span.id for span in spans}

        def branch(parent: str | None, depth: int) -> Iterable[str]:
            for span in spans:
                if span.parent == parent or (parent is None and span.parent not in known):
                    links = "".join(f"  ~> {trace[:8]}:{id_[:4]}" for trace, id_ in span.links)
                    about = f"({span.service}, {span.kind}) {span.trace[:8]}:{span.id[:4]}"
                    yield f"{'  ' * depth}{span.name} {about}{links}"
                    yield from branch(span.id, depth + 1)

        return list(branch(None, 0))


class _Service(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans

    def Export(self, request: Any, context: object) -> Any:  # noqa: ARG002, N802 -- the wire's name
        for resource in request.resource_spans:
            service = _attributes(resource.resource)["service.name"]
            self._spans += [_span(service, span) for scope in resource.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        kind=WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        start=span.start_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_attributes(span),
    )


def _attributes(told: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in told.attributes}
