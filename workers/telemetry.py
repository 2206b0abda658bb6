"""OpenTelemetry: keeps the spans of `domain.tracing` and sends them on. Loaded only where traces are wanted."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from domain.errors import Refusal
from domain.tracing import Attributes, Carrier, Kind
from workers.settings import SettingsError

_W3C: Final = TraceContextTextMapPropagator()
_KINDS: Final = {kind: SpanKind[kind.name] for kind in Kind}
_EXPORTERS: Final = "opentelemetry_traces_exporter"
# By the protocol that the environment names; gRPC is the one whose exporter we bring along.
_OTLP: Final = {"": "otlp_proto_grpc", "grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
# Seconds that a stop waits for spans to be sent.
FLUSH: Final = 1.5


class OpenTelemetry:
    """`domain.tracing.Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("homestay-bff")

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Attributes, *, parent: Carrier | None, links: Sequence[Carrier]
    ) -> "Iterator[_Span]":
        """Makes what happens within it a step: see `domain.tracing.span`."""
        with self._tracer.start_as_current_span(
            name,
            context=None if parent is None else _W3C.extract(parent, Context()),
            kind=_KINDS[kind],
            attributes=attributes,
            links=[Link(found) for link in links if (found := _context(link).get_span_context()).is_valid],
            # An error's words may be a guest's. The logs have them, where they are no secret.
            record_exception=False,
            set_status_on_exception=False,
        ) as kept:
            span = _Span(kept)
            try:
                yield span
            except Exception as error:
                if not isinstance(error, Refusal):
                    span.fail(type(error).__name__)
                raise

    def carrier(self) -> dict[str, str]:
        """The present step, for others to go on from; empty outside all steps."""
        found: dict[str, str] = {}
        _W3C.inject(found)
        return found

    def finish(self) -> None:
        """Sends what is still to be sent, if that goes quickly."""
        # From a thread, since it waits for the exporter's own tries, whatever the time that it is given.
        flush = threading.Thread(target=self._provider.force_flush, name="last spans", daemon=True)
        flush.start()
        flush.join(FLUSH)


class _Span:
    """`domain.tracing.Span`."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)


def _context(link: Carrier) -> Span:
    return get_current_span(_W3C.extract(link, Context()))


def start(service: str, environment: Mapping[str, str]) -> OpenTelemetry:
    """Starts to send spans as the environment says.

    Args:
        service: what this process is called where the environment does not say.
        environment: OTEL_SERVICE_NAME, OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_PROTOCOL; all other variables of
            OpenTelemetry are read by its own code.

    Raises:
        SettingsError: there is no such exporter.
    """
    resource = Resource.create({} if environment.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in _exporters(environment):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return OpenTelemetry(provider)


def _exporters(environment: Mapping[str, str]) -> Iterator[SpanExporter]:
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    for name in (environment.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        wanted = _OTLP.get(protocol or "", "") if name.strip() == "otlp" else name.strip()
        found = next(iter(entry_points(group=_EXPORTERS, name=wanted)), None)
        if found is None:
            said = f"the protocol {protocol!r} of OTLP" if name.strip() == "otlp" else repr(name.strip())
            raise SettingsError(f"OTEL_TRACES_EXPORTER: no exporter is installed for {said}")
        yield found.load()()
